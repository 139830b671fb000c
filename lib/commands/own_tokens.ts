/**
 * The bridge's own tokens, where the settings name a source: `--profile`, `--auth`, `--token-command`.
 *
 * @module
 */

import { readAuthorities } from "../config/proxies.ts";
import { BridgeError } from "../errors.ts";
import { type Client, createClient } from "../gateway/client.ts";
import {
  BridgeKey,
  RenewingTokenSource,
  type ResolvedTokens,
  resolveTokenSource,
  type TokenEvent,
  tokenMachine,
} from "../gateway/tokens/mod.ts";
import type { Log } from "../observe/log.ts";
import type { Start } from "../system/system.ts";

/** How long the first token may take to be had, in milliseconds; the bridge starts without it then. */
const FIRST_TOKEN = 20_000;

/** A source that is ready, and the key that clients show for its tokens. */
export interface OwnTokens {
  /** Where tokens come from. */
  readonly tokens: RenewingTokenSource;
  /** The key that clients must show. */
  readonly key: BridgeKey;
}

/**
 * The source that the settings name, or undefined.
 *
 * @param start The machine and the settings.
 * @param openClient The client that asks a workspace's token endpoint, for the sources that need one.
 * @throws {BridgeError} kind `config`, when the source can't be had, with what to type.
 */
export async function findTokenSource(
  start: Start,
  openClient: () => Client | Promise<Client>,
): Promise<ResolvedTokens | undefined> {
  const { config } = start;
  if (config.demo) return undefined;
  return await resolveTokenSource(
    { ...config, gateway: config.gateway || undefined },
    tokenMachine(
      start,
      async (url, request) => (await (await openClient()).send(url, request)).response,
    ),
  );
}

/**
 * Opens a source: makes or reads the bridge's key, which needs the permission to write.
 *
 * @param start The machine and the settings.
 * @param found From {@linkcode findTokenSource}.
 * @param log Told of every new token and every failed refresh.
 * @param onEvent The same, for the numbers.
 */
export async function openTokens(
  { system, config }: Start,
  found: ResolvedTokens,
  log: Log,
  onEvent: (event: TokenEvent) => void,
): Promise<OwnTokens> {
  if (system.machine === undefined) {
    throw new BridgeError("usage", "Tokens of the bridge's own need a machine with files.");
  }
  const key = config.clientKeys !== undefined
    // Unused: each client has a key of its own.
    ? new BridgeKey(crypto.randomUUID())
    : config.clientKey === undefined
    ? await BridgeKey.open({ ...system, files: system.machine.files })
    : new BridgeKey(config.clientKey);
  const tokens = new RenewingTokenSource(found.source, {
    secrets: [...found.secrets, key.value],
    onEvent(event) {
      log[event.type === "renewed" ? "info" : "warn"](event.message);
      onEvent(event);
    },
  });
  return { tokens, key };
}

/**
 * Asks for the first token before the bridge listens, so that a source which a person must set right is
 * told at once. What may pass by itself only delays the first requests.
 *
 * @param tokens The source.
 * @throws {BridgeError} kind `unauthenticated` or `config`, with what to type.
 */
export async function tryFirstToken(tokens: RenewingTokenSource): Promise<void> {
  try {
    await tokens.token(AbortSignal.timeout(FIRST_TOKEN));
  } catch (error) {
    // Anything else was logged by the source.
    const lasting = error instanceof BridgeError &&
      (error.kind === "unauthenticated" || error.kind === "config");
    if (lasting) throw new BridgeError("config", error.message, { cause: error });
  }
}

/** A source as a command uses it, for as long as the command runs. */
export interface CommandTokens {
  /** What was found. */
  readonly found: ResolvedTokens;
  /** The source, with renewal. */
  readonly tokens: RenewingTokenSource;
  /** Ends it. */
  readonly close: () => Promise<void>;
}

/**
 * The source of tokens for a command that asks the workspace or the gateway; undefined where the settings
 * name none.
 *
 * @param start The machine and the settings.
 * @throws {BridgeError} kind `config`, when the source can't be had.
 */
export async function commandTokens(start: Start): Promise<CommandTokens | undefined> {
  const { system, config, proxies } = start;
  let client: Promise<Client> | undefined;
  const openClient = () =>
    client ??= readAuthorities(config.caFile, system).then((authorities) =>
      createClient({ ...config, authorities, proxyFor: proxies.proxyFor })
    );
  const close = async () => await (await client?.catch(() => undefined))?.close();
  const found = await findTokenSource(start, openClient);
  if (found === undefined) {
    await close();
    return undefined;
  }
  const tokens = new RenewingTokenSource(found.source, { secrets: found.secrets });
  return {
    found,
    tokens,
    async close() {
      await tokens.close();
      await close();
    },
  };
}
