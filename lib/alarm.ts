/**
 * Alarms for what takes seconds or minutes and nearly never happens: timeouts. A timer takes 2 to 3 µs
 * to set and to clear, and a request has five; an alarm takes a tenth of that, because all of them
 * share one timer. In return it may be late by a twentieth of a second.
 *
 * @module
 */

/** How often the alarms are looked at, in milliseconds. */
const TICK = 50;

/** A shorter time has a timer of its own, because a tick would be late for it. */
const SHORT = 100;

interface Alarm {
  /** On the clock of `performance.now()`. */
  readonly at: number;
  readonly action: () => void;
  /** Where it stands in the list; -1 when it is over. */
  place: number;
}

/**
 * In no order. Not a `Set`: what is deleted from one stays in its old tables, and what those refer to,
 * here whole requests, outlives one small garbage collection after the other.
 */
const alarms: Alarm[] = [];
let ticking: ReturnType<typeof setInterval> | undefined;

/** How many ticks without an alarm there may be before the timer is stopped; and how many there were. */
let patience = 0;
let idle = 0;

/**
 * Keeps the timer for a while when the last alarm is over: for a program in which the next one soon
 * follows. Without it no timer is left behind, which tests check.
 *
 * @param time Milliseconds.
 *
 * @example
 * ```ts
 * import { lingerAlarms } from "./alarm.ts";
 *
 * lingerAlarms(0);
 * ```
 */
export function lingerAlarms(time: number): void {
  patience = Math.ceil(time / TICK);
}

function stopTicking(): void {
  clearInterval(ticking);
  ticking = undefined;
}

/** Takes an alarm out; the last of the list takes its place. */
function remove(alarm: Alarm): void {
  if (alarm.place === -1) return;
  const last = alarms.pop()!;
  if (last !== alarm) {
    alarms[alarm.place] = last;
    last.place = alarm.place;
  }
  alarm.place = -1;
  if (alarms.length === 0 && patience === 0) stopTicking();
}

function tick(): void {
  idle = alarms.length === 0 ? idle + 1 : 0;
  if (idle > patience) return stopTicking();
  const now = performance.now();
  for (const alarm of alarms.filter(({ at }) => now >= at)) {
    // One that rang before may have called it off.
    if (alarm.place === -1) continue;
    remove(alarm);
    alarm.action();
  }
}

/**
 * Does something once when a time has passed, unless it is called off.
 *
 * @param time Milliseconds; 0 is never. It may be exceeded by 50.
 * @param action What to do; it must not throw.
 * @returns Calls it off; safe to call at any time.
 *
 * @example
 * ```ts
 * import { alarm } from "./alarm.ts";
 *
 * let rang = 0;
 * const callOff = alarm(60_000, () => rang++);
 * await new Promise<void>((resolve) => alarm(5, resolve));
 * callOff();
 * if (rang !== 0) throw new Error("a minute is longer");
 * ```
 */
export function alarm(time: number, action: () => void): () => void {
  if (time <= 0) return () => {};
  if (time < SHORT) {
    const timer = setTimeout(action, time);
    return () => clearTimeout(timer);
  }
  const own: Alarm = { at: performance.now() + time, action, place: alarms.length };
  alarms.push(own);
  if (ticking === undefined) {
    idle = 0;
    ticking = setInterval(tick, TICK);
  }
  return () => remove(own);
}
