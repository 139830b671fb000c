import { fetchClient } from "./fetch_client.ts";
/** Interim. @module */

/** A. */
export interface ClientAnswer {
  /** R. */
  readonly response: Response;
  /** F. */
  readonly failure: () => unknown;
}

/** I. */
export interface SendInit {
  method: string;
  headers: Readonly<Record<string, string>>;
  body?: string;
  signal?: AbortSignal;
}

/** C. */
export interface Client {
  /** S. */
  send(url: string, init: SendInit): Promise<ClientAnswer>;
  /** C. */
  close(): Promise<void>;
}

/** M. */
export function createClient(_options: unknown): Client {
  return fetchClient((url, init) => fetch(url, init));
}
