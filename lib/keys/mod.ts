/**
 * Client keys: one for each person or program that may use a bridge, with the models that it may ask and its
 * limits. Here belongs everything about them but the command `fd-bridge key` and where headers are read.
 *
 * @module
 */

export {
  type ClientKey,
  hashOfKey,
  makeKey,
  mayAsk,
  parseClientKeys,
  withClientKey,
  withoutClientKey,
} from "./client_keys.ts";
export { KeyRing } from "./key_ring.ts";
export { admit, checkModel, type Settle } from "./limits.ts";
