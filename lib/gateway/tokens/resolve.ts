/**
 * From the settings to a source of tokens: which one, for which workspace, and what is wrong with what
 * was set.
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import { AzureCliSource } from "./azure_cli.ts";
import { DatabricksCliSource } from "./databricks_cli.ts";
import { OauthM2mSource, type SendRequest } from "./oauth_m2m.ts";
import { PatSource } from "./pat.ts";
import {
  findProfile,
  type Profile,
  type ProfileFile,
  type ProfilePlace,
  readProfiles,
  workspaceHost,
} from "./profile.ts";
import { childEnvironment, type Run, run as runProgram } from "./run.ts";
import type { TokenSource } from "./token.ts";
import { TokenCommandSource } from "./token_command.ts";
import { splitWords } from "./words.ts";

/** The sources that `--auth` names; `client` is the client's own token, which travels through. */
export const AUTH_NAMES = ["databricks-cli", "azure-cli", "m2m", "pat", "client"] as const;

/** One of {@linkcode AUTH_NAMES}. */
export type AuthName = typeof AUTH_NAMES[number];

/** The settings that choose a source. */
export interface TokenSettings {
  /** `--profile`, `DATABRICKS_CONFIG_PROFILE`. */
  readonly profile?: string;
  /** `--auth`. */
  readonly auth?: AuthName;
  /** `--token-command`. */
  readonly tokenCommand?: string;
  /** The gateway's base URL, if it is set: in its workspace form it tells the workspace. */
  readonly gateway?: string;
}

/** What sources need of the machine. */
export interface TokenMachine extends ProfilePlace {
  /** Sends requests to a workspace's token endpoint. */
  readonly send: SendRequest;
  /** Runs programs. @default by `Deno.Command` */
  readonly run?: Run;
  /** How long a program or a server may take, in milliseconds. @default {15000} */
  readonly limit?: number;
}

/** A source, and what is known around it. */
export interface ResolvedTokens {
  /** Asks for a token with every call: to be wrapped in a `RenewingTokenSource`. */
  readonly source: TokenSource;
  /** The kind of source. */
  readonly kind: Exclude<AuthName, "client"> | "token-command";
  /** The workspace, `https://<host>`; undefined where nothing tells. */
  readonly host: string | undefined;
  /** The gateway in that workspace, `https://<host>/ai-gateway`; for where no address is set. */
  readonly gateway: string | undefined;
  /** Whether programs are run; without, the permission to run any can be given away. */
  readonly runsPrograms: boolean;
  /** What must never be shown, as far as it is known at the start: a client secret, a token. */
  readonly secrets: readonly string[];
}

/** `auth_type` of a profile → the kind of source. */
const AUTH_TYPES: Readonly<Record<string, ResolvedTokens["kind"]>> = {
  "pat": "pat",
  "databricks-cli": "databricks-cli",
  // What Databricks' Python tools call a person's login.
  "external-browser": "databricks-cli",
  "oauth-m2m": "m2m",
  "m2m": "m2m",
  "azure-cli": "azure-cli",
};

/** Values of a profile that the environment has, too. */
const VARIABLES: Readonly<Record<string, string>> = {
  host: "DATABRICKS_HOST",
  token: "DATABRICKS_TOKEN",
  client_id: "DATABRICKS_CLIENT_ID",
  client_secret: "DATABRICKS_CLIENT_SECRET",
  auth_type: "DATABRICKS_AUTH_TYPE",
  azure_tenant_id: "ARM_TENANT_ID",
  databricks_cli_path: "DATABRICKS_CLI_PATH",
};

/** Variables that a source is chosen and made by, beside those that its programs get. */
export const TOKEN_VARIABLES: readonly string[] = [
  "DATABRICKS_CONFIG_PROFILE",
  "DATABRICKS_CONFIG_FILE",
  ...Object.values(VARIABLES),
];

/**
 * Finds the source that the settings name. `--auth client` turns all of them off; `--token-command` comes
 * before `--auth`, and that before a profile's own `auth_type`. A named profile's values come before
 * the environment's; without a named profile the environment comes first, and the default profile fills
 * what it leaves open.
 *
 * @param settings What is set.
 * @param machine Variables, files, programs, requests.
 * @returns The source; undefined where the client's own token travels through.
 * @throws {BridgeError} kind `config`: one line that says what to type.
 *
 * @example
 * ```ts
 * import { resolveTokenSource } from "./resolve.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const file = "[dev]\nhost = https://adb-1.2.azuredatabricks.net\ntoken = abc\n";
 * const found = await resolveTokenSource({ profile: "dev" }, {
 *   os: "linux",
 *   variable: (name) => name === "HOME" ? "/home/ada" : undefined,
 *   readText: () => Promise.resolve(file),
 *   send: fetch,
 * });
 * assertEquals([found?.kind, found?.gateway], ["pat", "https://adb-1.2.azuredatabricks.net/ai-gateway"]);
 * ```
 */
export async function resolveTokenSource(
  settings: TokenSettings,
  machine: TokenMachine,
): Promise<ResolvedTokens | undefined> {
  const { auth, profile: named, tokenCommand, gateway } = settings;
  if (auth === "client" || (!auth && !named && !tokenCommand)) return undefined;
  const file = await readProfiles(machine);
  const profile = findProfile(file, named ?? "DEFAULT");
  if (named && profile === undefined) throw noProfile(named, file);
  const values = new Values(profile, named !== undefined, machine);
  const hostText = values.get("host") ?? workspaceOf(gateway);
  const host = hostText && workspaceHost(hostText, values.nameOf("host"));
  const make: Making = { settings, machine, values, profile, host, file };
  const kind = tokenCommand ? "token-command" : auth ?? kindOf(make);
  return {
    kind,
    source: MAKERS[kind](make),
    host,
    gateway: host && `${host}/ai-gateway`,
    runsPrograms: kind !== "pat" && kind !== "m2m",
    secrets: ["token", "client_secret"].flatMap((key) => values.get(key) ?? []),
  };
}

/** The workspace of a gateway's address in its workspace form. */
function workspaceOf(gateway: string | undefined): string | undefined {
  return gateway?.endsWith("/ai-gateway") ? gateway.slice(0, -"/ai-gateway".length) : undefined;
}

/** Values of a profile and of the environment. */
class Values {
  readonly #profile: Profile | undefined;
  readonly #profileFirst: boolean;
  readonly #variable: TokenMachine["variable"];

  constructor(profile: Profile | undefined, profileFirst: boolean, { variable }: TokenMachine) {
    this.#profile = profile;
    this.#profileFirst = profileFirst;
    this.#variable = variable;
  }

  get(key: string): string | undefined {
    const inProfile = this.#profile?.values[key];
    const outside = this.#variable(VARIABLES[key]) || undefined;
    return this.#profileFirst ? inProfile ?? outside : outside ?? inProfile;
  }

  /** Whether a value is the profile's. */
  isProfiles(key: string): boolean {
    const value = this.#profile?.values[key];
    return value !== undefined && value === this.get(key);
  }

  /** What a value is called in messages: by where it stands. */
  nameOf(key: string): string {
    return this.isProfiles(key) ? `${key} of profile ${this.#profile!.name}` : VARIABLES[key];
  }

  /** The same with the profile as it stands in its file now. */
  async reread(machine: TokenMachine): Promise<Values> {
    if (this.#profile === undefined) return this;
    const profile = findProfile(await readProfiles(machine), this.#profile.name);
    return new Values(profile ?? this.#profile, this.#profileFirst, machine);
  }
}

/** What a source is made of. */
interface Making {
  readonly settings: TokenSettings;
  readonly machine: TokenMachine;
  readonly values: Values;
  readonly profile: Profile | undefined;
  readonly host: string | undefined;
  readonly file: ProfileFile;
}

/** A profile's kind by its `auth_type`, else by what stands in it. */
function kindOf({ values, profile, file, settings }: Making): ResolvedTokens["kind"] {
  const type = values.get("auth_type");
  if (type !== undefined) {
    if (Object.hasOwn(AUTH_TYPES, type)) return AUTH_TYPES[type];
    throw new BridgeError(
      "config",
      `${
        values.nameOf("auth_type")
      } is "${type}", which the bridge does not know: expected one of ${
        Object.keys(AUTH_TYPES).join(", ")
      }, or start with --token-command and a command that prints a token.`,
    );
  }
  // A token in the environment is the environment's, not this profile's.
  if (profile?.values.token) return "pat";
  if (profile?.values.client_id && values.get("client_secret")) return "m2m";
  if (profile?.values.host) return "databricks-cli";
  if (values.get("token")) return "pat";
  if (values.get("client_id") && values.get("client_secret")) return "m2m";
  if (values.get("host")) return "databricks-cli";
  throw emptyProfile(settings.profile ?? "DEFAULT", file);
}

/** Kind → its source. */
const MAKERS: Readonly<Record<ResolvedTokens["kind"], (make: Making) => TokenSource>> = {
  "token-command": ({ settings, machine }) => {
    const { run = runProgram, limit, os } = machine;
    const words = splitWords(settings.tokenCommand ?? "", "--token-command", os);
    return new TokenCommandSource({ words, run, limit });
  },

  "databricks-cli": ({ settings, machine, values, profile, host }) => {
    const { run = runProgram, limit, variable } = machine;
    const byProfile = settings.profile !== undefined || values.isProfiles("host");
    if (!byProfile && host === undefined) throw missing("host", "databricks-cli");
    const target = byProfile && profile ? { profile: profile.name } : { host };
    return new DatabricksCliSource({
      ...target,
      label: target.profile
        ? `profile ${target.profile} (databricks-cli)`
        : `${host} (databricks-cli)`,
      program: values.get("databricks_cli_path"),
      run,
      limit,
      env: childEnvironment("databricks", variable),
    });
  },

  "azure-cli": ({ settings, machine, values }) => {
    const { run = runProgram, limit, variable } = machine;
    return new AzureCliSource({
      label: settings.profile ? `profile ${settings.profile} (azure-cli)` : "azure-cli",
      tenant: values.get("azure_tenant_id"),
      run,
      limit,
      env: childEnvironment("az", variable),
    });
  },

  "m2m": ({ machine, values, host, settings: { profile } }) => {
    const { send, limit } = machine;
    for (const key of ["client_id", "client_secret"]) {
      if (values.get(key) === undefined) throw missing(key, "m2m", profile);
    }
    if (host === undefined) throw missing("host", "m2m", profile);
    return new OauthM2mSource({
      label: profile ? `profile ${profile} (oauth-m2m)` : "the service principal (oauth-m2m)",
      host,
      send,
      limit,
      async read() {
        const now = await values.reread(machine);
        return { id: now.get("client_id") ?? "", secret: now.get("client_secret") ?? "" };
      },
    });
  },

  "pat": ({ machine, values, file, profile, settings }) => {
    if (values.get("token") === undefined) throw missing("token", "pat", settings.profile);
    const where = values.isProfiles("token")
      ? `${file.path}, profile ${profile?.name}`
      : "DATABRICKS_TOKEN";
    return new PatSource({
      label: values.isProfiles("token")
        ? `profile ${profile?.name} (pat)`
        : "DATABRICKS_TOKEN (pat)",
      remedy:
        `make a new token in Databricks (Settings, Developer, Access tokens) and put it into ${where}`,
      read: async () => (await values.reread(machine)).get("token"),
    });
  },
};

function missing(key: string, auth: string, profile?: string): BridgeError {
  const where = profile === undefined
    ? `set ${VARIABLES[key]} in the environment or in .env`
    : `put \`${key} = …\` into profile ${profile} of ~/.databrickscfg, or set ${VARIABLES[key]}`;
  const way = profile === undefined ? `--auth ${auth}` : `Profile ${profile} (${auth})`;
  return new BridgeError("config", `${way} needs ${article(key)}: ${where}.`);
}

/** Key → what it is. */
function article(key: string): string {
  return key === "host" ? "the workspace's address" : `a ${key}`;
}

function others({ profiles }: ProfileFile): string {
  const names = profiles.filter(({ values }) => values.host !== undefined).map(({ name }) => name);
  if (names.length === 0) return "";
  const shown = names.slice(0, 8).join(", ") + (names.length > 8 ? ", …" : "");
  return ` It has the profiles ${shown}: name one with --profile.`;
}

function noProfile(name: string, file: ProfileFile): BridgeError {
  const login = `type \`databricks auth login --profile ${name}\``;
  if (file.path === undefined) {
    return new BridgeError(
      "config",
      "HOME is not set, so ~/.databrickscfg can't be found: set it, or DATABRICKS_CONFIG_FILE.",
    );
  }
  const what = file.profiles.length === 0
    ? `There is no profile "${name}", because ${file.path} is missing or empty`
    : `There is no profile "${name}" in ${file.path}`;
  return new BridgeError("config", `${what}: ${login}.${others(file)}`);
}

function emptyProfile(name: string, file: ProfileFile): BridgeError {
  return new BridgeError(
    "config",
    `Profile ${name} in ${file.path} has neither host nor token: type \`databricks auth login --profile ${name}\`.${
      others(file)
    }`,
  );
}
