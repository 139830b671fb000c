/** What `deploy/` says: against the schemas of Kubernetes and Compose, and against the program. */
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { DCLinter } from "dclint";
import { Deployment } from "kubernetes-models/apps/v1/Deployment";
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler";
import { Ingress } from "kubernetes-models/networking.k8s.io/v1/Ingress";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1/PodDisruptionBudget";
import { ConfigMap } from "kubernetes-models/v1/ConfigMap";
import { Namespace } from "kubernetes-models/v1/Namespace";
import { Secret } from "kubernetes-models/v1/Secret";
import { Service } from "kubernetes-models/v1/Service";
import { ServiceAccount } from "kubernetes-models/v1/ServiceAccount";
import { parse, parseAllDocuments } from "yaml";
import { exposure, readConfig, settings } from "../lib/config/config.ts";
import { parseCommandLine } from "../lib/config/command_line.ts";
import { FLAGS } from "../lib/config/flags.ts";
import { parseModels } from "../lib/models/catalog.ts";
import { ENVIRONMENT_VARIABLES } from "../scripts/permissions.ts";
import { IMAGE, ROOT } from "../scripts/project.ts";

const BASE = "deploy/kubernetes/base";
const OVERLAY = "deploy/kubernetes/overlays/example";

/** Kind → its model, with the schema. */
const KINDS: Readonly<Record<string, new (data: never) => { validate(): void }>> = {
  ConfigMap,
  Deployment,
  HorizontalPodAutoscaler,
  Ingress,
  Namespace,
  NetworkPolicy,
  PodDisruptionBudget,
  Secret,
  Service,
  ServiceAccount,
};

// deno-lint-ignore no-explicit-any
type Document = any;

const read = (path: string) => Deno.readTextFile(`${ROOT}${path}`);
const readYaml = async (path: string): Promise<Document> => parse(await read(path));

/** The objects of a folder's resources, as they are written. */
async function resources(folder: string): Promise<Document[]> {
  const { resources } = await readYaml(`${folder}/kustomization.yaml`);
  const files: string[] = resources.filter((name: string) => name.endsWith(".yaml"));
  const texts = await Promise.all(files.map((name) => read(`${folder}/${name}`)));
  return texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS()));
}

/** Runs a program; undefined where it isn't there. */
async function output(program: string, args: string[]): Promise<Deno.CommandOutput | undefined> {
  try {
    return await new Deno.Command(program, { args, cwd: ROOT, stdin: "null" }).output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** What `kubectl apply -k` would apply; undefined where there is no kubectl, or none that can kustomize. */
async function kustomized(): Promise<Document[] | undefined> {
  const version = await output("kubectl", ["kustomize", "--help"]);
  if (version?.success !== true) return undefined;
  const done = await output("kubectl", ["kustomize", OVERLAY]);
  assert(done?.success, new TextDecoder().decode(done?.stderr));
  return parseAllDocuments(new TextDecoder().decode(done.stdout)).map((one) => one.toJS());
}

const written = [...await resources(BASE), ...await resources(OVERLAY)];
const applied = await kustomized();
const documents = applied ?? written;
const UNKUSTOMIZED = applied ? "" : " (ignored: there is no kubectl here)";

function only(kind: string): Document {
  const found = documents.filter((document) => document.kind === kind);
  assertEquals(found.length, 1, kind);
  return found[0];
}

function validate(document: Document): void {
  const Kind = KINDS[document.kind];
  assert(Kind, `${document.kind} is not in the table of this test`);
  new Kind(document as never).validate();
}

for (const document of documents) {
  Deno.test(`the schema of Kubernetes accepts ${document.kind} ${document.metadata.name}`, () => {
    assertEquals(document.apiVersion, (KINDS[document.kind] as Document).apiVersion);
    validate(document);
  });
}

Deno.test("the schema of Kubernetes refuses a manifest with a mistake in it", () => {
  const broken = structuredClone(only("Deployment"));
  broken.spec.template.spec.containers[0].resources.limits.memory = "1 GB";
  assertThrows(() => validate(broken), Error, "memory");
  const missing = structuredClone(only("Deployment"));
  delete missing.spec.selector;
  assertThrows(() => validate(missing), Error, "selector");
});

/** Lets the compiler compare documents with the types, which name every field that there is. */
async function typeCheck(documents: readonly Document[]): Promise<string> {
  const { scopes } = JSON.parse(await read("deno.json"));
  const from: string = scopes["./tests/"]["kubernetes-models"];
  const lines = documents.flatMap(({ apiVersion, kind, ...rest }, at) => [
    `import type { I${kind} as T${at} } from "${from}/${apiVersion}/${kind}";`,
    `export const document${at}: T${at} = ${JSON.stringify({ apiVersion, kind, ...rest })};`,
  ]);
  const folder = await Deno.makeTempDir({ prefix: "fd-bridge-types-" });
  try {
    const file = `${folder}/documents.ts`;
    await Deno.writeTextFile(file, lines.join("\n"));
    const done = await output(Deno.execPath(), ["check", "--no-config", "--no-lock", file]);
    return done!.success ? "" : new TextDecoder().decode(done!.stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the types of Kubernetes know every field of the manifests, and no misspelt one", async () => {
  const misspelt = structuredClone(only("Deployment"));
  misspelt.spec.template.spec.containers[0].readynessProbe = {};
  const [right, wrong] = await Promise.all([typeCheck(documents), typeCheck([misspelt])]);
  assertEquals(right, "");
  assertStringIncludes(wrong, "readynessProbe");
});

Deno.test("every file of deploy/kubernetes is part of a kustomization", async () => {
  for (const folder of [BASE, OVERLAY]) {
    const text = await read(`${folder}/kustomization.yaml`);
    for await (const { name } of Deno.readDir(`${ROOT}${folder}`)) {
      if (name !== "kustomization.yaml") assertMatch(text, new RegExp(`^ +- ${name}$`, "m"), name);
    }
  }
});

Deno.test({
  name: `kubectl kustomize gives the version and the host name of the overlay${UNKUSTOMIZED}`,
  ignore: applied === undefined,
  fn() {
    const [container] = only("Deployment").spec.template.spec.containers;
    assertEquals(container.image.split(":")[0], IMAGE);
    const { rules, tls } = only("Ingress").spec;
    const settings = documents.find(({ kind, metadata }) =>
      kind === "ConfigMap" && metadata.name.startsWith("fd-bridge-settings")
    );
    assertEquals(rules[0].host, settings.data.FD_BRIDGE_ALLOW_HOST);
    assertEquals(tls[0].hosts, [rules[0].host]);
    assert(
      container.envFrom.some((one: Document) => one.configMapRef?.name === settings.metadata.name),
    );
    for (const document of documents) {
      if (document.kind !== "Namespace") assertEquals(document.metadata.namespace, "fd-bridge");
    }
  },
});

Deno.test("the manifests name the image of this version", async () => {
  const { version } = JSON.parse(await read("deno.json"));
  const { images } = await readYaml(`${OVERLAY}/kustomization.yaml`);
  assertEquals(images, [{ name: IMAGE, newTag: version }]);
  for (const name of ["bridge-1", "bridge-2"]) {
    assertEquals((await services())[name].image, `${IMAGE}:${version}`);
  }
});

/** A time of a manifest's, as the program reads it, in seconds. */
function times(env: Record<string, string>): { drain: number; shutdown: number; sum: number } {
  const { drainTime, shutdownTime } = readConfig(settings(parseCommandLine([]), { process: env }));
  assert(drainTime > 0 && shutdownTime > 0);
  const [drain, shutdown] = [drainTime / 1000, shutdownTime / 1000];
  return { drain, shutdown, sum: drain + shutdown };
}

function environment(pod: Document): Record<string, string> {
  return Object.fromEntries(
    pod.containers[0].env.map(({ name, value }: Document) => [name, value]),
  );
}

Deno.test("a pod has more time to end than its bridge takes", () => {
  const { spec } = only("Deployment").spec.template;
  const { drain, sum } = times(environment(spec));
  assert(spec.terminationGracePeriodSeconds > sum + 5);
  const { periodSeconds, failureThreshold } = spec.containers[0].readinessProbe;
  assert(drain > periodSeconds * failureThreshold, "the probe has failed when the port closes");
});

Deno.test("a rolling update takes no bridge away before another one is ready", () => {
  const { strategy } = only("Deployment").spec;
  assertEquals(strategy.rollingUpdate.maxUnavailable, 0);
  const { minReplicas, maxReplicas } = only("HorizontalPodAutoscaler").spec;
  assert(minReplicas >= 2 && maxReplicas > minReplicas);
  assertEquals(only("PodDisruptionBudget").spec.maxUnavailable, 1);
});

Deno.test("a pod may do what it needs and no more", () => {
  const { spec } = only("Deployment").spec.template;
  assertEquals(spec.automountServiceAccountToken, false);
  assertEquals(spec.securityContext.runAsNonRoot, true);
  assertEquals(spec.securityContext.seccompProfile.type, "RuntimeDefault");
  const [container] = spec.containers;
  assertEquals(container.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  });
  const writable = container.volumeMounts.filter(({ readOnly }: Document) => readOnly !== true);
  assertEquals(writable.map(({ mountPath }: Document) => mountPath), ["/state"]);
  assertEquals(environment(spec).XDG_CONFIG_HOME, "/state");
});

Deno.test("probes ask what the bridge answers, and labels select its pods", () => {
  const { template, selector } = only("Deployment").spec;
  const [container] = template.spec.containers;
  assertEquals(container.livenessProbe.httpGet.path, "/healthz");
  assertEquals(container.readinessProbe.httpGet.path, "/readyz");
  const selectors = [
    selector.matchLabels,
    only("Service").spec.selector,
    only("PodDisruptionBudget").spec.selector.matchLabels,
    only("NetworkPolicy").spec.podSelector.matchLabels,
    ...template.spec.topologySpreadConstraints.map((one: Document) =>
      one.labelSelector.matchLabels
    ),
  ];
  for (const labels of selectors) {
    for (const [name, value] of Object.entries(labels)) {
      assertEquals(template.metadata.labels[name], value);
    }
  }
  assertEquals(only("HorizontalPodAutoscaler").spec.scaleTargetRef.name, "fd-bridge");
});

Deno.test("models.json of the overlay is a list that the bridge takes", async () => {
  const { models, warnings } = parseModels(
    await read(`${OVERLAY}/models.json`),
    "models.json",
  );
  assert(models.length > 0);
  assertEquals(warnings ?? [], []);
});

// Names that are set in the manifests and read by the program.
const KNOWN = new Set([
  ...FLAGS.flatMap(({ env }) => env ?? []),
  ...ENVIRONMENT_VARIABLES.filter((name) => !name.endsWith("*")),
]);

Deno.test("the Compose file keeps the schema of Compose, and what its linter knows", async () => {
  const linter = new DCLinter({
    rules: {
      // The image can be pulled, or built where no registry is reached.
      "no-build-and-image": 0,
      // Ports, keys and services stand in the order in which they are read.
      "services-alphabetical-order": 0,
      "service-keys-order": 0,
      "service-dependencies-alphabetical-order": 0,
      "top-level-properties-order": 0,
      // It is for all to reach.
      "no-unbound-port-interfaces": 0,
      "require-quotes-in-ports": [2, { quoteType: "double" }],
    },
    quiet: false,
    debug: false,
    exclude: [],
  });
  const lint = async (path: string) =>
    (await linter.lintFiles([path], false)).flatMap(({ messages }) =>
      messages.map(({ rule, message, line }) => `${line}: ${rule}: ${message}`)
    );
  assertEquals(await lint(`${ROOT}deploy/compose.yaml`), []);
  const folder = await Deno.makeTempDir({ prefix: "fd-bridge-compose-" });
  try {
    const text = await read("deploy/compose.yaml");
    await Deno.writeTextFile(`${folder}/compose.yaml`, text.replace("read_only:", "readonly:"));
    assertMatch((await lint(`${folder}/compose.yaml`)).join(), /additional properties/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** What a person fills in. */
const FILLED: Readonly<Record<string, string>> = {
  DATABRICKS_AI_GATEWAY_URL: "https://adb-1.7.azuredatabricks.net/ai-gateway",
  FD_BRIDGE_HOSTNAME: "bridge.dev.example.com",
  VALKEY_PASSWORD: "0a1b",
  FD_BRIDGE_STORE_KEY: "2c3d4e5f2c3d4e5f2c3d4e5f2c3d4e5f",
  FD_BRIDGE_CLIENT_KEYS: "/config/client-keys.json",
};

/** The services of the Compose file, with what they inherit, and with variables put in as Compose does. */
async function services(): Promise<Record<string, Document>> {
  const text = await read("deploy/compose.yaml");
  const filled = text.replace(
    /(?<!\$)\$\{([A-Z_]+)(?:(:?[-?])([^}]*))?\}/g,
    (_, name, how = "", otherwise = "") => FILLED[name] ?? (how.endsWith("-") ? otherwise : ""),
  );
  return parse(filled, { merge: true }).services;
}

Deno.test("the Compose file gives its containers time to end, and few rights", async () => {
  const all = await services();
  for (const [name, service] of Object.entries(all)) {
    assertEquals(service.read_only, true, name);
    assertEquals(service.cap_drop, ["ALL"], name);
    assertMatch(service.user, /^[1-9]\d*:[1-9]\d*$/, name);
    assertEquals(service.security_opt, ["no-new-privileges:true"], name);
  }
  const bridges = [all["bridge-1"], all["bridge-2"]];
  for (const bridge of bridges) {
    assertEquals(bridge.image.split(":")[0], IMAGE);
    const { sum } = times(bridge.environment);
    const grace = /^(\d+)m$/.exec(bridge.stop_grace_period)!;
    assert(Number(grace[1]) * 60 > sum + 5);
  }
  assertEquals(all.nginx.stop_signal, "SIGQUIT");
});

Deno.test("the Compose file's settings are those of a bridge that may listen for others", async () => {
  const { environment } = (await services())["bridge-1"];
  const image = await read("Dockerfile");
  assertMatch(image, /^ENV FD_BRIDGE_HOST=0\.0\.0\.0$/m);
  assertMatch(image, /^USER 65532:65532$/m);
  const env = { ...environment, FD_BRIDGE_HOST: "0.0.0.0" };
  const config = readConfig(settings(parseCommandLine([]), { process: env }));
  assertStringIncludes(exposure(config)!, "client key");
  assertEquals(config.allowHosts, ["bridge.dev.example.com"]);
});

Deno.test("nginx.conf and the Compose file agree on names, ports and times", async () => {
  const conf = await read("deploy/nginx.conf");
  const all = await services();
  const servers = [...conf.matchAll(/^\s*server ([\w-]+):8080 .*fail_timeout=(\d+)s;/gm)];
  assertEquals(
    servers.map(([, name]) => name),
    Object.keys(all).filter((name) => name.startsWith("bridge-")),
  );
  assertStringIncludes(all.nginx.ports[0], ":8443");
  const { drain } = times(all["bridge-1"].environment);
  // A bridge that drains is taken out, stays out until its port is closed, and keeps no connection by then.
  for (const [, , time] of servers) assert(Number(time) > drain);
  const kept = /^\s*keepalive_timeout (\d+)s;/m.exec(conf)!;
  assert(Number(kept[1]) < drain);
  assertMatch(all.nginx.healthcheck.interval, /^[12]s$/);
  // What is paid for is never repeated.
  assert(!/^[^#]*non_idempotent/m.test(conf));
});

Deno.test("deploy/.env.example names what the Compose file asks for", async () => {
  const asked = [...(await read("deploy/compose.yaml")).matchAll(/(?<!\$)\$\{([A-Z_]+)/g)];
  const example = await read("deploy/.env.example");
  const named = [...example.matchAll(/^#?([A-Z_]+)=/gm)].map(([, name]) => name);
  assertEquals([...new Set(asked.map(([, name]) => name))].sort(), named.sort());
});

/** Settings of the shared store and of client keys, for bridges that have them. */
const PLANNED = ["FD_BRIDGE_STORE", "FD_BRIDGE_STORE_KEY", "FD_BRIDGE_CLIENT_KEYS"];

Deno.test("the manifests set what the program reads", async () => {
  const pod = only("Deployment").spec.template.spec;
  const maps = documents.filter(({ kind }) => kind === "ConfigMap" || kind === "Secret");
  const names = [
    ...Object.keys(environment(pod)),
    ...maps.flatMap(({ data, stringData }) => Object.keys({ ...data, ...stringData }))
      .filter((name) => !name.includes(".")),
    ...Object.keys((await services())["bridge-1"].environment),
  ];
  assert(names.length > 10);
  for (const name of names) assert(KNOWN.has(name) || PLANNED.includes(name), name);
});
