/**
 * A store in memory, with the few commands that the bridge uses, and with everything that can go wrong.
 *
 * @module
 */

import { type Command, StoreReplyError, type Wire } from "../../lib/store/connection.ts";

/** How the store is: as it should be, silent, not there, without room, or refusing the password. */
export type StoreState = "well" | "silent" | "gone" | "full" | "refusing";

/** A store in memory. */
export class FakeStore {
  /** How it is. */
  state: StoreState = "well";
  /** What it holds. */
  readonly entries = new Map<string, string>();
  /** The commands that it was given, in order. */
  readonly commands: Command[] = [];
  /** How often it was connected to. */
  connections = 0;
  readonly #sets = new Map<string, Set<string>>();
  #breaks = new Set<(cause: unknown) => void>();

  /** Opens a connection to it. */
  readonly open = (): Promise<Wire> => {
    this.connections++;
    if (this.state === "gone") return Promise.reject(new Error("connect ECONNREFUSED"));
    if (this.state === "refusing") {
      return Promise.reject(new StoreReplyError("WRONGPASS invalid username-password pair"));
    }
    const ended = Promise.withResolvers<unknown>();
    this.#breaks.add(ended.resolve);
    return Promise.resolve({
      ended: ended.promise,
      close: () => ended.resolve(undefined),
      run: (commands: readonly Command[]) => this.#run(commands),
    });
  };

  /** Ends every connection, as a store does that is stopped. */
  break(): void {
    for (const end of this.#breaks) end(new Error("read ECONNRESET"));
    this.#breaks = new Set();
  }

  #run(commands: readonly Command[]): Promise<unknown[]> {
    if (this.state === "silent") return new Promise(() => {});
    if (this.state === "gone") return Promise.reject(new Error("read ECONNRESET"));
    try {
      return Promise.resolve(commands.map((command) => this.#reply(command)));
    } catch (cause) {
      return Promise.reject(cause);
    }
  }

  #reply(command: Command): unknown {
    this.commands.push(command);
    const [name, key, value] = command;
    const set = this.#sets.get(key) ?? new Set();
    if (this.state === "full" && ["SET", "SADD", "INCRBYFLOAT"].includes(name)) {
      throw new StoreReplyError("OOM command not allowed when used memory > 'maxmemory'.");
    }
    switch (name) {
      case "PING":
        return "PONG";
      case "GET":
        return this.entries.get(key) ?? null;
      case "MGET":
        return command.slice(1).map((one) => this.entries.get(one) ?? null);
      case "SET":
        this.entries.set(key, value);
        return "OK";
      case "DEL":
        return command.slice(1).filter((one) => this.entries.delete(one)).length;
      case "SADD":
        this.#sets.set(key, set.add(value));
        return 1;
      case "SREM":
        for (const member of command.slice(2)) set.delete(member);
        return 1;
      case "SMEMBERS":
        return [...set];
      case "INCRBYFLOAT": {
        const sum = Number(this.entries.get(key) ?? 0) + Number(value);
        this.entries.set(key, `${sum}`);
        return `${sum}`;
      }
      case "PEXPIRE":
      case "PEXPIREAT":
        return this.entries.has(key) ? 1 : 0;
      default:
        throw new StoreReplyError(`ERR unknown command '${name}'`);
    }
  }
}
