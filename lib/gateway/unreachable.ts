/**
 * Why another machine could not be reached, in words for a person: what the network says is made for
 * programmers.
 *
 * @module
 */

import { maskSecrets } from "../errors.ts";
import { ProxyError } from "./proxy_error.ts";

/** What a fault of the network's means. */
export interface NetworkFault {
  /** What is, and what to do; follows "can't be reached: ". */
  readonly means: string;
  /** Whether asking again in a moment may help; a timeout has cost its time already. */
  readonly passing: boolean;
  /** What it is about; the code of the error that it becomes. */
  readonly code: "certificate" | "protocol" | "proxy" | "timeout" | "unreachable";
}

/** Codes and words of undici's, the system's and Deno's → what they mean. The first row that fits is used. */
const FAULTS: readonly (NetworkFault & { words: RegExp })[] = [
  {
    words:
      /ENOTFOUND|EAI_AGAIN|dns error|failed to lookup|name or service not known|nodename nor servname|no such host/i,
    means:
      "its name is unknown. Check the spelling in DATABRICKS_AI_GATEWAY_URL, the network and the VPN.",
    passing: true,
    code: "unreachable",
  },
  {
    words: /ECONNREFUSED|connection refused/i,
    means: "the connection was refused. Check the address and the port.",
    passing: true,
    code: "unreachable",
  },
  {
    words:
      /ENETUNREACH|EHOSTUNREACH|ENETDOWN|EADDRNOTAVAIL|network is unreachable|no route|no network/i,
    means: "there is no network that leads there. Check the connection and the VPN.",
    passing: true,
    code: "unreachable",
  },
  {
    words: /UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT/,
    means: "no connection came about in time. Check the address, the network and the VPN.",
    passing: false,
    code: "timeout",
  },
  {
    words: /UND_ERR_HEADERS_TIMEOUT/,
    means: "it did not begin to answer in time.",
    passing: false,
    code: "timeout",
  },
  {
    words: /CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|certificate expired|not valid yet/i,
    means: "its certificate has expired or is not valid yet. Check this machine's clock.",
    passing: false,
    code: "certificate",
  },
  {
    words: /ERR_TLS_CERT_ALTNAME_INVALID|NotValidForName|altnames/i,
    means:
      "its certificate is for another name. Check the address, and whether a proxy stands in between.",
    passing: false,
    code: "certificate",
  },
  {
    words: /WRONG_VERSION_NUMBER|InvalidContentType/i,
    means: "it does not speak https on this port. Check the address and its port.",
    passing: false,
    code: "protocol",
  },
  {
    // Deno has the same code for a certificate that has expired.
    words:
      /UNABLE_TO_|SELF_SIGNED|self.signed|CERT_|_CERT\b|UnknownIssuer|peer certificate|verify the first certificate|local issuer/i,
    means:
      "its certificate is not trusted, or no longer valid. On a company network name the company's certificate with --ca-file, or set DENO_TLS_CA_STORE=system,mozilla.",
    passing: false,
    code: "certificate",
  },
  {
    words:
      /ECONNRESET|ECONNABORTED|EPIPE|UND_ERR_SOCKET|other side closed|socket hang up|broken pipe|disconnected before|connection (was )?(reset|closed|aborted)/i,
    means: "it closed the connection before it answered.",
    passing: true,
    code: "unreachable",
  },
  {
    words: /UND_ERR_HEADERS_OVERFLOW/,
    means: "the headers of its answer are longer than 16 KiB. Check what stands in between.",
    passing: false,
    code: "protocol",
  },
  {
    words: /HPE_|HTTP\/1\.1 protocol|ERR_ASSERTION|UND_ERR_RES|invalid HTTP/i,
    means:
      "what it answered is not HTTP. Check the address and its port, and whether https is spoken there.",
    passing: false,
    code: "protocol",
  },
  {
    words: /ERR_SSL|\bEPROTO\b|\btls\b|\bssl\b|alert|handshake/i,
    means:
      "no encrypted connection came about. Check the address and its port, and whether a proxy stands in between.",
    passing: false,
    code: "certificate",
  },
];

/** The address in an error: a host named "proxy" or "tls" must not decide what the fault is. */
const ADDRESS = /\b(for url|for|from) \(?(https?:\/\/)?[^\s()]*[:/][^\s()]*\)?/gi;

/**
 * What a failed request means.
 *
 * @param cause What it was rejected with; the causes behind it are looked at, too.
 *
 * @example
 * ```ts
 * import { networkFault } from "./unreachable.ts";
 * import { assert, assertStringIncludes } from "@std/assert";
 *
 * const cause = Object.assign(new Error("connect failed"), { code: "ECONNREFUSED" });
 * const { means, passing } = networkFault(cause);
 * assertStringIncludes(means, "refused");
 * assert(passing);
 * ```
 */
export function networkFault(cause: unknown): NetworkFault {
  const words: string[] = [];
  let error = cause;
  for (; error instanceof Error && words.length < 10; error = causeOf(error)) {
    if (error instanceof ProxyError) return proxyFault(error);
    words.push(error.message, String((error as { code?: unknown }).code ?? ""));
  }
  const text = words.join(": ").replace(ADDRESS, "");
  return FAULTS.find((row) => row.words.test(text)) ?? {
    means: maskSecrets(words[0] ?? String(cause)).slice(0, 300),
    passing: true,
    code: "unreachable",
  };
}

/** The error behind an error; of several, for several addresses, the first. */
function causeOf(error: Error): unknown {
  return error.cause ?? (error as { errors?: readonly unknown[] }).errors?.[0];
}

/** What a proxy's fault means. */
function proxyFault({ proxy, status, cause }: ProxyError): NetworkFault {
  const who = `the proxy ${proxy}`;
  if (status === 407) {
    return {
      means:
        `${who} asks for a user and a password, or refused the given ones. Write them into HTTPS_PROXY: http://user:password@host:port.`,
      passing: false,
      code: "proxy",
    };
  }
  if (status !== undefined) {
    return {
      means: status >= 500
        ? `${who} found no way to it (${status}). Check the address, and ask whoever runs the proxy.`
        : `${who} does not let it through (${status}). Ask whoever runs it, or take the gateway out of it with NO_PROXY.`,
      passing: status >= 500,
      code: "proxy",
    };
  }
  const { means, passing } = networkFault(cause);
  // Keeps the first sentence, which says what is; the advice differs for a proxy.
  const [what] = means.split(/\. (?=[A-Z])|\.$/);
  return {
    means: `the way leads through ${who}, and ${what}. Check HTTPS_PROXY and NO_PROXY.`,
    passing,
    code: "proxy",
  };
}
