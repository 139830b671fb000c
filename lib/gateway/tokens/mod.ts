/**
 * The bridge's own tokens for the gateway: where they come from, how they are kept valid, how a request
 * is sent with one, and the key that the bridge asks its clients for in return. Nothing here knows a
 * dialect or the gateway's answers.
 *
 * @module
 */

export { authorize, type Authorized, refusesToken, withRemedy } from "./authorize.ts";
export {
  BridgeKey,
  checkBridgeKey,
  type KeyMachine,
  keyPath,
  loadBridgeKey,
  rotateBridgeKey,
} from "./bridge_key.ts";
export { CLI_DOWNLOAD } from "./databricks_cli.ts";
export type { SendRequest } from "./oauth_m2m.ts";
export {
  findProfile,
  type Profile,
  type ProfileFile,
  type ProfilePlace,
  readProfiles,
  workspaceHost,
} from "./profile.ts";
export {
  type RenewingOptions,
  RenewingTokenSource,
  type TokenEvent,
  type TokenState,
} from "./renewing.ts";
export {
  AUTH_NAMES,
  type AuthName,
  type ResolvedTokens,
  resolveTokenSource,
  TOKEN_VARIABLES,
  type TokenMachine,
  type TokenSettings,
} from "./resolve.ts";
export { tokenMachine } from "./machine.ts";
export { MissingProgram, type Run, runAtTerminal, type RunOptions, type RunResult } from "./run.ts";
export type { Sleep, Token, TokenSource } from "./token.ts";
