/**
 * The output items of one Responses stream: which event belongs to which item, and how much of each
 * text has been sent.
 *
 * @module
 */

import { Item, type ItemKind, type ReasoningGroup, type Slot } from "./item.ts";

/** How many foreign ids are remembered for one item: some gateways make up a new one for each event. */
const MAX_ALIASES = 8;

/** How many items a search by text looks at; what fits stands near, and the search stays linear in the items. */
const MAX_LOOK = 64;

/** An item as an announcement, a closing event or a final list has it. */
export interface ItemSighting {
  /** What kind of item it is. */
  kind: ItemKind;
  /** Its id; "" if it has none. */
  id: string;
  /** A call's `call_id`; "" if it has none. */
  callId: string;
  /** Its place in the output, if it was given. */
  outputIndex?: number;
  /** Its text as one, or its arguments; "" if there is none yet. */
  text: string;
}

const SLOT_OF_KIND: Record<ItemKind, Slot> = {
  message: "text",
  call: "arguments",
  reasoning: "summary",
};

/** A map for each kind: ids and places are not always unique among items of different kinds. */
class ByKind<Key> {
  readonly #maps: Record<ItemKind, Map<Key, Item>> = {
    message: new Map(),
    call: new Map(),
    reasoning: new Map(),
  };
  get(kind: ItemKind, key: Key): Item | undefined {
    return this.#maps[kind].get(key);
  }
  set(kind: ItemKind, key: Key, item: Item): void {
    this.#maps[kind].set(key, item);
  }
  clear(): void {
    for (const map of Object.values(this.#maps)) map.clear();
  }
}

/**
 * The items of a stream. A gateway may give an item one id where it announces it and others in its
 * deltas, may put two items at one `output_index`, may close items in any order, and may send one
 * response after another (gateway.md); so an item is found by what fits best, and made up if
 * nothing does.
 *
 * @example
 * ```ts
 * import { ItemTable } from "./items.ts";
 *
 * const table = new ItemTable();
 * const item = table.open({ kind: "message", id: "msg_1", callId: "", outputIndex: 0, text: "" });
 * if (table.find("message", "another id", 0) !== item) throw new Error("expected the item at 0");
 * ```
 */
export class ItemTable {
  readonly #all: Item[] = [];
  readonly #byId = new ByKind<string>();
  readonly #byPlace = new ByKind<number>();
  readonly #byCallId = new Map<string, Item>();
  readonly #latest: Partial<Record<ItemKind, Item>> = {};
  #current: Item[] = [];
  #group: ReasoningGroup = { reasoning: [], calls: [] };
  #scope = 0;

  /** How many items there are. */
  get size(): number {
    return this.#all.length;
  }

  /** The call with a `call_id`. */
  callOf(callId: string): Item | undefined {
    return this.#byCallId.get(callId);
  }

  /** Begins another response in the same stream: places are counted anew. */
  nextResponse(): void {
    this.#scope++;
    this.#current = [];
    this.#group = { reasoning: [], calls: [] };
    this.#byPlace.clear();
    for (const kind of ["message", "call", "reasoning"] as const) delete this.#latest[kind];
  }

  /** The items of the current response, in order of appearance. */
  current(): readonly Item[] {
    return this.#current;
  }

  /** The item that a delta, or a closing event of one of its parts, belongs to. */
  find(kind: ItemKind, id: string, outputIndex: number | undefined): Item {
    const byId = id === "" ? undefined : this.#byId.get(kind, id);
    if (byId !== undefined && (!byId.closed || byId.scope === this.#scope)) {
      if (byId.id === id) byId.named = true;
      return byId;
    }
    let item: Item | undefined;
    if (outputIndex !== undefined) item = this.#byPlace.get(kind, outputIndex);
    else {
      const latest = this.#latest[kind];
      if (id === "" || (latest !== undefined && !latest.closed && !latest.named)) item = latest;
    }
    if (item === undefined) return this.#add(kind, id, outputIndex);
    if (id !== "" && item.aliases++ < MAX_ALIASES) this.#byId.set(kind, id, item);
    return item;
  }

  /** The item that is being announced: a new one, unless it is known by its id or by its parts. */
  open(sighting: ItemSighting): Item {
    const { kind, id, outputIndex } = sighting;
    const known = this.#known(sighting, (item) => !item.closed || item.scope === this.#scope);
    const atPlace = outputIndex === undefined ? undefined : this.#byPlace.get(kind, outputIndex);
    // What stands at its place is the item itself only if just its parts were seen.
    const unannounced = atPlace?.announced === false ? atPlace : undefined;
    return this.#identify(known ?? unannounced ?? this.#add(kind, id, outputIndex), sighting);
  }

  /** The item that is being closed, or that is given as a whole. */
  close(sighting: ItemSighting): Item {
    const { kind, id, outputIndex, text } = sighting;
    const slot = SLOT_OF_KIND[kind];
    const fits = (item: Item) => item.closedWith === text || item.fits(slot, text);
    const known = this.#known(sighting, (item) => !item.closed || fits(item));
    const atPlace = outputIndex === undefined ? undefined : this.#byPlace.get(kind, outputIndex);
    const here = atPlace !== undefined && this.#mayBe(atPlace, sighting) &&
      // Closed already: a repetition, or another item of a server that does not count places.
      (!atPlace.closed || (text !== "" && atPlace.closedWith === text));
    const item = known ?? (here ? atPlace : undefined) ??
      this.#all.slice(-MAX_LOOK).findLast((item) =>
        item.kind === kind && !item.closed && !item.announced && this.#mayBe(item, sighting) &&
        item.emitted(slot) !== "" && item.fits(slot, text)
      ) ?? this.#add(kind, id, outputIndex);
    item.closed = true;
    item.closedWith = text;
    return this.#identify(item, sighting);
  }

  /**
   * The items of a response's final list, in its order. Each is matched with what has streamed: by
   * its ids, else by its place and its text, and last by its order among those of its kind, so that
   * a list with new ids or tidied texts repeats nothing.
   */
  reconcile(sightings: readonly ItemSighting[]): Item[] {
    const found: (Item | undefined)[] = sightings.map(() => undefined);
    const taken = new Set<Item>();
    const match = (search: (sighting: ItemSighting) => Item | undefined) => {
      for (const [at, sighting] of sightings.entries()) {
        const item = found[at] ?? search(sighting);
        if (item !== undefined) taken.add(item);
        found[at] = item;
      }
    };
    const emitted = (item: Item) => item.emitted(SLOT_OF_KIND[item.kind]);
    const fits = (item: Item, { text }: ItemSighting) => item.fits(SLOT_OF_KIND[item.kind], text);
    /** The item that stands at a sighting's place. */
    const atPlace = (sighting: ItemSighting) => {
      const { kind, outputIndex } = sighting;
      const item = outputIndex === undefined ? undefined : this.#byPlace.get(kind, outputIndex);
      return item && !taken.has(item) && this.#mayBe(item, sighting) ? item : undefined;
    };
    /** The first items of `from` that are still free, of a sighting's kind. */
    const search = (from: readonly Item[]) => {
      const left = { message: [], call: [], reasoning: [] } as Record<ItemKind, Item[]>;
      for (const item of from) if (!taken.has(item)) left[item.kind].push(item);
      const begin = { message: 0, call: 0, reasoning: 0 };
      return (sighting: ItemSighting, accept: (item: Item) => boolean) => {
        const items = left[sighting.kind];
        while (taken.has(items[begin[sighting.kind]])) begin[sighting.kind]++;
        const from = begin[sighting.kind];
        return items.slice(from, from + MAX_LOOK).find((item) =>
          !taken.has(item) && this.#mayBe(item, sighting) && accept(item)
        );
      };
    };

    // An id of an earlier response that comes again with another text is just a reused id.
    match((s) =>
      this.#known(s, (i) => !taken.has(i) && (i.scope === this.#scope || fits(i, s)), true)
    );
    match((s) => {
      const item = atPlace(s);
      return item && fits(item, s) ? item : undefined;
    });
    const anywhere = search(this.#all);
    match((s) => anywhere(s, (item) => emitted(item) !== "" && fits(item, s)));
    match(atPlace);
    const here = search(this.#current);
    match((s) => here(s, () => true));
    return sightings.map((sighting, at) => {
      const item = found[at] ?? this.#add(sighting.kind, sighting.id, sighting.outputIndex);
      item.closed = true;
      return this.#identify(item, sighting);
    });
  }

  /** An item that is known by the ids of a sighting, if `accept` takes it. */
  #known(
    sighting: ItemSighting,
    accept: (item: Item) => boolean,
    anyPlace = false,
  ): Item | undefined {
    const { kind, id, callId, outputIndex } = sighting;
    // The call_id identifies a call, even where the id and the place have changed.
    const byCallId = kind === "call" && callId !== "" ? this.#byCallId.get(callId) : undefined;
    if (byCallId !== undefined) return byCallId;
    const byId = id === "" ? undefined : this.#byId.get(kind, id);
    if (byId === undefined || !this.#mayBe(byId, sighting) || !accept(byId)) return undefined;
    // Some servers give all items one id; then the place distinguishes them.
    const moved = byId.outputIndex !== undefined && outputIndex !== undefined &&
      byId.outputIndex !== outputIndex && byId.scope === this.#scope;
    return moved && !anyPlace ? undefined : byId;
  }

  /** Whether `item` can be the one that was sighted. */
  #mayBe(item: Item, sighting: ItemSighting): boolean {
    return item.callId === "" || sighting.callId === "" || item.callId === sighting.callId;
  }

  #identify(item: Item, sighting: ItemSighting): Item {
    item.announced = true;
    if (sighting.id !== "") {
      if (item.id === "") item.id = sighting.id;
      this.#byId.set(item.kind, sighting.id, item);
    }
    if (sighting.callId !== "" && item.callId === "") {
      item.callId = sighting.callId;
      this.#byCallId.set(sighting.callId, item);
    }
    return item;
  }

  #add(kind: ItemKind, id: string, outputIndex: number | undefined): Item {
    const item = new Item(kind, outputIndex, this.#scope);
    item.id = id;
    this.#all.push(item);
    this.#current.push(item);
    this.#latest[kind] = item;
    if (kind !== "message") {
      if (kind === "reasoning" && this.#group.calls.length > 0) {
        this.#group = { reasoning: [], calls: [] };
      }
      item.group = this.#group;
      this.#group[kind === "call" ? "calls" : "reasoning"].push(item);
    }
    if (id !== "") this.#byId.set(kind, id, item);
    if (outputIndex !== undefined) this.#byPlace.set(kind, outputIndex, item);
    return item;
  }
}
