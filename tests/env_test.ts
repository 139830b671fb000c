/** The `.env` files: how they merge, and what of a foreign folder's is taken. */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { type EnvFiles, readEnvFiles } from "../lib/config/env.ts";
import { BridgeError } from "../lib/errors.ts";

const HOME = {
  os: "linux",
  variable: (name: string) => name === "HOME" ? "/home/ada" : undefined,
};
const OWN = "/home/ada/.config/fd-bridge/.env";

/** Reads files that are in memory. */
function read(files: Record<string, string | Error>, named?: string): Promise<EnvFiles> {
  return readEnvFiles(named, HOME, (path) => {
    const text = files[path];
    return text instanceof Error ? Promise.reject(text) : Promise.resolve(text);
  });
}

Deno.test("readEnvFiles() merges the folder's and the user's own file, variable by variable", async () => {
  const env = await read({
    ".env": "A=here\nB='two words' # why\nexport C=3\nEMPTY=\n",
    [OWN]: "A=own\nD=4\nEMPTY=own\n",
  });
  assertEquals(env.variables, { A: "here", B: "two words", C: "3", D: "4", EMPTY: "own" });
  assertEquals(["A", "D", "X"].map(env.fileOf), ["./.env", OWN, undefined]);
  assertEquals([env.paths, env.warnings], [[".env", OWN], []]);
});

Deno.test("readEnvFiles() keeps the user's own settings in a folder with an unrelated .env", async () => {
  const env = await read({
    ".env": "PORT=3000\nNODE_ENV=development\n",
    [OWN]: "DATABRICKS_AI_GATEWAY_URL=https://1.ai-gateway.azuredatabricks.net\n",
  });
  assertEquals(env.variables.DATABRICKS_AI_GATEWAY_URL, "https://1.ai-gateway.azuredatabricks.net");
});

Deno.test("readEnvFiles() reads the file that is named, and no other", async () => {
  const files = { "x.env": "A=named", ".env": "A=here\nB=1", [OWN]: "C=1" };
  assertEquals((await read(files, "x.env")).variables, { A: "named" });
  assertEquals(await read({}).then(({ paths }) => paths), []);
});

/** Addresses in a folder's `.env` → whether they are taken. */
const ADDRESSES: readonly (readonly [string, boolean])[] = [
  ["https://1234.5.ai-gateway.azuredatabricks.net", true],
  ["https://adb-1.2.azuredatabricks.net/ai-gateway", true],
  ["adb-1.2.azuredatabricks.net", true],
  ["https://dbc-1.cloud.databricks.com", true],
  ["https://1.ai-gateway.gcp.databricks.com/mlflow/v1", true],
  ["https://adb-1.databricks.azure.us", true],
  ["https://adb-1.databricks.azure.cn", true],
  ["HTTPS://ADB-1.2.AZUREDATABRICKS.NET", true],
  ["http://127.0.0.1:9090", true],
  ["http://localhost:9090", true],
  ["http://[::1]:9090", true],
  ["https://evil.example", false],
  ["https:evil.example", false],
  ["HTTPS:/evil.example", false],
  ["evil.example", false],
  ["https://azuredatabricks.net.evil.example", false],
  ["https://evilazuredatabricks.net", false],
  ["https://adb-1.azuredatabricks.net@evil.example", false],
  ["https://evil.example/adb-1.2.azuredatabricks.net", false],
  ["https://evil.example#.azuredatabricks.net", false],
  ["https://evil.example\\\\.azuredatabricks.net", false],
  ["https://adb-1.databricks.com.evil.example", false],
  ["https://localhost.evil.example", false],
  ["https://127.0.0.1.evil.example", false],
  ["https://10.0.0.1", false],
];

for (const name of ["DATABRICKS_AI_GATEWAY_URL", "DATABRICKS_HOST"]) {
  for (const [address, taken] of ADDRESSES) {
    Deno.test(`readEnvFiles() ${taken ? "takes" : "refuses"} ${name}=${address} from a folder's .env`, async () => {
      const own = "https://own.azuredatabricks.net";
      const env = await read({ ".env": `${name}="${address}"\n`, [OWN]: `${name}=${own}\n` });
      if (taken) assert(env.variables[name] !== own && env.warnings.length === 0);
      else {
        assertEquals(env.variables[name], own, "the user's own holds");
        assertStringIncludes(env.warnings[0], name);
        assertStringIncludes(env.warnings[0], "--env-file");
      }
      assertEquals((await read({ [OWN]: `${name}="${address}"` })).warnings, []);
      assertEquals((await read({ ".env": `${name}="${address}"` }, ".env")).warnings, []);
    });
  }
}

for (
  const name of [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "ALL_PROXY",
    "no_proxy",
    "DENO_CERT",
    "DENO_TLS_CA_STORE",
    "SSL_CERT_FILE",
    "FD_BRIDGE_CA_FILE",
    "FD_BRIDGE_TOKEN_COMMAND",
    "DATABRICKS_CLI_PATH",
    "DATABRICKS_CONFIG_FILE",
    "FD_BRIDGE_STORE",
  ]
) {
  Deno.test(`readEnvFiles() takes no ${name} from a folder's .env`, async () => {
    const env = await read({ ".env": `${name}=/somewhere\n` });
    assertEquals(env.variables, {});
    assertStringIncludes(env.warnings[0], `./.env sets ${name}`);
    assertEquals((await read({ [OWN]: `${name}=/somewhere\n` })).variables[name], "/somewhere");
  });
}

Deno.test("readEnvFiles() names a file that can't be read, and says why", async () => {
  const missing = await assertRejects(() => read({}, "x.env"), BridgeError);
  assertEquals(missing.message, "x.env: there is no such file (the env file).");
  const denied = await assertRejects(
    () => read({ ".env": new Error("Is a directory (os error 21)") }),
    BridgeError,
  );
  assertEquals(denied.message, ".env: can't be read: Is a directory.");
  await assertRejects(() => read({ [OWN]: "A\0=\0b\0" }), BridgeError, "not UTF-8");
});

Deno.test("readEnvFiles() tells a line with a colon in the place of the equals sign", async () => {
  const { warnings } = await read({ [OWN]: "A=1\nDATABRICKS_AI_GATEWAY_URL: https://x\n" });
  assertStringIncludes(warnings[0], `${OWN}:2: expected DATABRICKS_AI_GATEWAY_URL=`);
});

Deno.test("readEnvFiles() warns of lines that it can't read, and of values that nobody fills in", async () => {
  const { warnings } = await read({
    ".env": [
      "DATABRICKS_AI_GATEWAY_URL: https://1.ai-gateway.azuredatabricks.net",
      "just some words",
      "KEY='several",
      "lines of text'",
      "DATABRICKS_HOST=https://${WS}.azuredatabricks.net",
    ].join("\n"),
  });
  assertEquals(warnings.slice(0, 3), [
    ".env:1: expected DATABRICKS_AI_GATEWAY_URL=…, found a colon; the line is not read.",
    ".env:2: expected NAME=value; the line is not read.",
    ".env:5: DATABRICKS_HOST has ${WS} in it, which this file doesn't set: write the value itself.",
  ]);
});

Deno.test("readEnvFiles() lets no folder's .env decide who reaches the bridge", async () => {
  for (const name of ["FD_BRIDGE_HOST", "FD_BRIDGE_ALLOW_HOST", "FD_BRIDGE_ALLOW_ORIGIN"]) {
    const place = { os: "linux", variable: () => undefined };
    const text = `${name}=evil.example\n`;
    const found = await readEnvFiles(
      undefined,
      place,
      (path) => Promise.resolve(path === ".env" ? text : undefined),
    );
    assertEquals(found.variables, {});
    assertStringIncludes(found.warnings[0], name);
    const named = await readEnvFiles(".env", place, () => Promise.resolve(text));
    assertEquals(named.variables, { [name]: "evil.example" });
  }
});

Deno.test("readEnvFiles() passes over a variable that leads to itself, and says so", async () => {
  const place = { os: "linux", variable: () => undefined };
  const read = (text: string) => readEnvFiles("x", place, () => Promise.resolve(text));
  const texts = [
    "A=$A\n",
    "A=${A}\n",
    "A=$B\nB=x$A\n",
    "A=${B:-$C}\nC=$A\n",
    "A=a:$A",
    "A=$B\nB='$A'\n",
    "B='$'\nA=$B{A}\n",
    "A=$B$B\nB='$C$C'\nC='$A$A'\n",
  ];
  texts.push("A=$B\nB='$A'", "A=$B\nB='$B'", "A\n=$A", "export\nA=${A}x");
  for (const text of texts) {
    const { variables, warnings } = await read(`${text}\nPORT=1\n`);
    assertEquals([variables.A, variables.PORT], [undefined, "1"], text);
    assertStringIncludes(warnings.at(-1) ?? "", "is not read: it refers to itself");
  }
  for (
    const text of [
      "A='$A'\n",
      'A="$A"\n',
      "A=x\nB=y\n",
      "A=\nB=$A\n",
      "# A=$A\nA=1\n",
      "A=1 # $A",
      "A=\\$A",
    ]
  ) {
    assertEquals((await read(text)).warnings, [], text);
  }
});
