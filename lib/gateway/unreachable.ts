/**
 * Why the gateway could not be reached, in words for a person: what the network says is made for
 * programmers.
 *
 * @module
 */

import { maskSecrets } from "../errors.ts";

/** What a fault of the network's means. */
export interface NetworkFault {
  /** What is, and what to do; follows "can't be reached: ". */
  readonly means: string;
  /** Whether asking again in a moment may help. */
  readonly passing: boolean;
}

/** Codes and words of the network's → what they mean to a person. The first row that fits is used. */
const FAULTS: readonly (NetworkFault & { words: RegExp })[] = [
  {
    words:
      /dns error|failed to lookup|name or service not known|nodename nor servname|no such host|ENOTFOUND|EAI_AGAIN/i,
    means:
      "its name is unknown. Check the spelling in DATABRICKS_AI_GATEWAY_URL, the network and the VPN.",
    passing: true,
  },
  {
    words: /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|certificate expired|not valid yet/i,
    means: "its certificate has expired or is not valid yet. Check this machine's clock.",
    passing: false,
  },
  {
    words: /ERR_TLS_CERT_ALTNAME_INVALID|NotValidForName|altnames/i,
    means:
      "its certificate is for another name. Check the address, and whether a proxy stands in between.",
    passing: false,
  },
  {
    words: /CA file/i,
    means: "the certificates that DENO_CERT names can't be read. Check the file.",
    passing: false,
  },
  {
    words: /certificate|UnknownIssuer|self.signed|_CERT|UNABLE_TO_|\btls\b|\bssl\b|ERR_SSL/i,
    means:
      "its certificate is not trusted. On a company network name the company's certificate with --ca-file, or set DENO_TLS_CA_STORE=system,mozilla.",
    passing: false,
  },
  {
    words: /proxy|tunnel|UND_ERR_ABORTED/i,
    means: "the proxy did not let it through. Check HTTPS_PROXY and NO_PROXY.",
    passing: true,
  },
  {
    words: /connection refused|ECONNREFUSED/i,
    means: "the connection was refused. Check the address and the port.",
    passing: true,
  },
  {
    words: /ENETUNREACH|EHOSTUNREACH|ENETDOWN|network is unreachable|no route/i,
    means: "there is no network that leads there. Check the connection and the VPN.",
    passing: true,
  },
  {
    words:
      /connection (was )?(reset|closed|aborted)|ECONNRESET|EPIPE|UND_ERR_SOCKET|other side closed|socket hang up|broken pipe|incomplete|eof|end of file|unexpected/i,
    means: "it closed the connection before it answered.",
    passing: true,
  },
];

/** Where `fetch` names the address: a host that is called "proxy" says nothing about the fault. */
const ADDRESS = /\b(for url|for|from) \(?(https?:\/\/)?[^\s()]*[:/][^\s()]*\)?/gi;

/**
 * What a failed `fetch` means.
 *
 * @param cause What it was rejected with; the causes behind it are looked at too.
 *
 * @example
 * ```ts
 * import { networkFault } from "./unreachable.ts";
 *
 * const { means, passing } = networkFault(new TypeError("tcp connect error: Connection refused"));
 * if (!means.includes("refused") || !passing) throw new Error(means);
 * ```
 */
export function networkFault(cause: unknown): NetworkFault {
  const words: string[] = [];
  for (let error = cause; error instanceof Error && words.length < 10; error = error.cause) {
    words.push(error.message, String((error as { code?: unknown }).code ?? ""));
  }
  const text = words.join(": ").replace(ADDRESS, "");
  return FAULTS.find((row) => row.words.test(text)) ??
    { means: maskSecrets(text).slice(0, 300), passing: true };
}
