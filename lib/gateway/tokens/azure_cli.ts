/**
 * Tokens of a login with the Azure CLI, `az account get-access-token`.
 *
 * @module
 */

import { BridgeError } from "../../errors.ts";
import { complaint, MissingProgram, type Run, type RunOptions } from "./run.ts";
import { needsPerson, readToken, type Token, type TokenSource } from "./token.ts";

/** The application id of Azure Databricks, the same in every tenant (`tokens.md`). */
const DATABRICKS_RESOURCE = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";

/** Where to get the Azure CLI. */
const DOWNLOAD = "https://learn.microsoft.com/en-us/cli/azure/install-azure-cli";

/** What an {@linkcode AzureCliSource} is made of. */
export interface AzureCliOptions {
  /** What it is called in messages. */
  readonly label: string;
  /** The tenant, where it is not the CLI's own. */
  readonly tenant?: string;
  /** Runs programs. */
  readonly run: Run;
  /** The CLI's environment. */
  readonly env: RunOptions["env"];
  /** How long a run may take, in milliseconds. @default {15000} */
  readonly limit?: number;
  /** Milliseconds since 1970. @default {Date.now} */
  readonly now?: () => number;
}

/** Nobody is logged in, or no longer. AADSTS… are the codes of Entra ID. */
const LOGIN = /az login|AADSTS|not logged in|no subscription|refresh token|interaction_required/i;

/** The network failed, not the login. */
const NETWORK = /connection (?:error|aborted|refused)|timed? ?out|name resolution|max retries/i;

/** Tokens from the Azure CLI. It can't be told to renew; it does so five minutes before they expire. */
export class AzureCliSource implements TokenSource {
  /** What it is called in messages. */
  readonly label: string;
  /** What a person does when it has no valid token. */
  readonly remedy: string;
  readonly #options: AzureCliOptions;

  /** Makes a source of the login that `az` has. */
  constructor(options: AzureCliOptions) {
    this.#options = options;
    this.label = options.label;
    this.remedy = `type \`az login${options.tenant ? ` --tenant ${options.tenant}` : ""}\``;
  }

  /** What the CLI says. */
  async token(signal: AbortSignal): Promise<Token> {
    const { tenant, run, env, limit, now = Date.now } = this.#options;
    const args = [
      ...["account", "get-access-token", "--resource", DATABRICKS_RESOURCE],
      ...tenant ? ["--tenant", tenant] : [],
      ...["--output", "json"],
    ];
    const { code, stdout, stderr } = await run("az", args, { env, signal, limit })
      .catch((cause) => {
        if (!(cause instanceof MissingProgram)) throw cause;
        throw needsPerson(
          "The Azure CLI (`az`) is not on the PATH",
          `install it, ${DOWNLOAD}, then ${this.remedy}`,
          cause,
        );
      });
    const token = code === 0 ? readToken(stdout, now()) : undefined;
    if (token !== undefined) return token;
    if (code === 0) {
      throw needsPerson(
        "`az account get-access-token` printed no token",
        `see what it prints for you, and ${this.remedy}`,
      );
    }
    const words = complaint(stderr || stdout);
    if (NETWORK.test(stderr) && !LOGIN.test(stderr)) {
      throw new BridgeError("unreachable", `The Azure CLI can't reach its server: ${words}.`, {
        code: "token_unreachable",
      });
    }
    throw needsPerson(
      LOGIN.test(stderr)
        ? `Nobody is logged in to Azure, or the login is over (${words})`
        : `\`az account get-access-token\` failed (${words || `exit code ${code}`})`,
      this.remedy,
    );
  }

  /** The same question again. */
  rejected(_token: Token, signal: AbortSignal): Promise<Token> {
    return this.token(signal);
  }
}
