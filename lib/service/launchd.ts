/**
 * The service as a launchd agent of macOS.
 *
 * @module
 */

import { escapeXml } from "./xml.ts";
import type { ServiceSpec } from "./service.ts";

/** What launchd calls the agent. */
export const LABEL = "io.github.fd-bridge";

type Value = string | number | boolean | readonly string[] | { readonly [key: string]: Value };

function plist(value: Value, indent: string): string {
  if (typeof value === "boolean") return `${indent}<${value}/>`;
  if (typeof value === "number") return `${indent}<integer>${value}</integer>`;
  if (typeof value === "string") return `${indent}<string>${escapeXml(value)}</string>`;
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    const items = value.map((item) => plist(item, inner));
    return [`${indent}<array>`, ...items, `${indent}</array>`].join("\n");
  }
  const pairs = Object.entries(value).flatMap(([key, value]) => [
    `${inner}<key>${escapeXml(key)}</key>`,
    plist(value, inner),
  ]);
  return [`${indent}<dict>`, ...pairs, `${indent}</dict>`].join("\n");
}

/**
 * The agent's property list. It is started again where it crashed, not where it ended by itself: then the
 * settings are wrong, and a person must set them right.
 *
 * @param spec The service.
 */
export function launchdAgent({ program, args, env, stopSeconds, log }: ServiceSpec): string {
  const agent = {
    Label: LABEL,
    ProgramArguments: [program, ...args],
    ...Object.keys(env).length > 0 ? { EnvironmentVariables: env } : {},
    WorkingDirectory: "/",
    RunAtLoad: true,
    KeepAlive: { Crashed: true },
    ExitTimeOut: stopSeconds,
    // Answers are waited for: no throttling as for work in the background.
    ProcessType: "Interactive",
    StandardOutPath: log,
    StandardErrorPath: log,
  };
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    plist(agent, ""),
    "</plist>",
    "",
  ].join("\n");
}
