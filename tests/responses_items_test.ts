import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { TextTrack } from "../lib/dialects/responses/item.ts";
import { ItemTable } from "../lib/dialects/responses/items.ts";

Deno.test("TextTrack sends deltas that contradict the whole text before them", () => {
  const track = new TextTrack();
  assertEquals(track.whole("Hello"), "Hello");
  assertEquals(track.delta("He"), "");
  assertEquals(track.delta("y there"), "Hey there");
  assertEquals(track.delta("!"), "!");
  assertEquals(track.emitted, "HelloHey there!");
});

Deno.test("TextTrack sends what deltas have beyond the whole text", () => {
  const track = new TextTrack();
  assertEquals(track.whole("Hel"), "Hel");
  assertEquals(track.delta("Hello"), "lo");
  assertEquals(track.delta(" world"), " world");
});

Deno.test("TextTrack.whole() changes nothing where it contradicts the deltas", () => {
  const track = new TextTrack();
  track.delta("Hello");
  assertEquals(track.whole("Goodbye"), "");
  assertEquals(track.whole("Hell"), "");
  assertEquals(track.emitted, "Hello");
});

const at = (kind: "message" | "call", id: string, outputIndex?: number, text = "") => ({
  kind,
  id,
  callId: "",
  outputIndex,
  text,
});

Deno.test("ItemTable tells items apart where every place is 0", () => {
  const table = new ItemTable();
  const one = table.open(at("message", "a", 0));
  const two = table.open(at("message", "b", 0));
  assert(one !== two, "expected two items");
  assertStrictEquals(table.find("message", "a", 0), one);
  assertStrictEquals(table.find("message", "b", 0), two);
});

Deno.test("ItemTable keeps items of two kinds at one place apart, and under one id", () => {
  const table = new ItemTable();
  const message = table.open(at("message", "same", 0));
  const call = table.open(at("call", "same", 0));
  assertStrictEquals(table.find("message", "same", 0), message);
  assertStrictEquals(table.find("call", "same", 0), call);
  assertStrictEquals(table.find("message", "other", 0), message);
});

Deno.test("ItemTable doesn't give a call's delta to another call that goes by its own id", () => {
  const table = new ItemTable();
  const one = table.open(at("call", "a"));
  assertStrictEquals(table.find("call", "a", undefined), one);
  assert(table.find("call", "b", undefined) !== one, "expected another call");
});

Deno.test("ItemTable counts places anew in the next response", () => {
  const table = new ItemTable();
  const first = table.open(at("message", "a", 0));
  table.nextResponse();
  assert(table.find("message", "x", 0) !== first, "expected an item of the next response");
  assertEquals(table.current().length, 1);
});
