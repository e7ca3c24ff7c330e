/**
 * What one of the three engines lacks, and where browser code relies on it all the same. Measured with Chromium 156,
 * Firefox ESR 153 and WebKitGTK 2.50 (about Safari 26). `tsc -p web` sees what is of newer ECMAScript than all have, and
 * most loops over a stream.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transformSync } from "esbuild";
import { parseAst } from "vitest/node";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** What browsers run, from where it starts. */
const ENTRIES = [
  "web/page/main.ts",
  "web/hosts/vault/main.ts",
  "web/hosts/worker/main.ts",
  "web/browser/index.ts",
  "protocol/kmip/index.ts",
];

/** Names that are globals or members of platform objects, by the engines without them. */
const NAMES: Record<string, string> = {
  cancelIdleCallback: "WebKit",
  requestIdleCallback: "WebKit",
  scheduler: "WebKit",
  TaskController: "WebKit",
  navigation: "WebKit",
  CloseWatcher: "WebKit",
  moveBefore: "WebKit",
  setHTML: "WebKit",
  Temporal: "WebKit",
  DisposableStack: "WebKit",
  AsyncDisposableStack: "WebKit",
  SuppressedError: "WebKit",
  // Safari has it from 26 on; WebKitGTK has no private file system.
  createWritable: "WebKit",
  getAsFileSystemHandle: "Firefox and WebKit",
  showSaveFilePicker: "Firefox and WebKit",
  showOpenFilePicker: "Firefox and WebKit",
  showDirectoryPicker: "Firefox and WebKit",
  FileSystemObserver: "Firefox and WebKit",
  webkitRequestFileSystem: "Firefox and WebKit",
  EditContext: "Firefox and WebKit",
  EyeDropper: "Firefox and WebKit",
  Observable: "Firefox and WebKit",
  PressureObserver: "Firefox and WebKit",
  deviceMemory: "Firefox and WebKit",
  userAgentData: "Firefox and WebKit",
  measureUserAgentSpecificMemory: "Firefox and WebKit",
  ancestorOrigins: "Firefox",
};
/** Members of one object, whose names mean something else on others. */
const STATICS: Record<string, string> = {
  "ReadableStream.from": "Chromium and WebKit",
  // Of a stream it needs the iterator that WebKit's have not.
  "Array.fromAsync": "WebKit",
};
/** Algorithms of WebCrypto. */
const ALGORITHM =
  /^(ML-KEM|ML-DSA|SLH-DSA|KMAC|cSHAKE|SHA3|TurboSHAKE)[-\d]|^(ChaCha20-Poly1305|Argon2\w*|X448|Ed448|AES-OCB)$/;

/** Algorithms that stand in tables, by the file that takes an engine's word that it lacks them for an error of the kit's. */
const REFUSED: Record<string, string> = { "ML-DSA-65": "web/microservice/signing-key.ts" };

/** Tables whose entry counts for keys alone that another file has made, which asks the engine first for this method. */
const ASKED: Record<string, [by: string, method: string]> = {
  "web/microservice/passkey-keys.ts: ML-KEM-768": ["web/microservice/hybrid.ts", "!subtle.decapsulateKey"],
};

/** Methods that an engine has with an algorithm, and not without. */
const METHODS: Record<string, string> = { "ML-KEM-768": "decapsulateKey" };

const CSS: [RegExp, string][] = [
  [/(^|[\s;{])field-sizing\s*:/, "field-sizing: WebKit"],
  [/(^|[\s;{])interpolate-size\s*:/, "interpolate-size: Firefox and WebKit"],
  [/(^|[\s;{])reading-flow\s*:/, "reading-flow: Firefox and WebKit"],
  [/(^|[\s;{])corner-shape\s*:/, "corner-shape: Firefox and WebKit"],
  [/:open\b/, ":open: WebKit"],
  [/@container[^{]*\bstyle\(/, "@container style(): Firefox"],
];
const HTML: [RegExp, string][] = [
  [/\sclosedby=/, "closedby: WebKit"],
  [/\sinterestfor=/, "interestfor: Firefox and WebKit"],
  [/\spopover="?hint/, 'popover="hint": WebKit'],
];

type Node = { type: string; [field: string]: unknown };

/** Every file that browsers run, dependencies included, with what it relies on and an engine lacks. */
export async function reliances(): Promise<{ files: string[]; found: string[] }> {
  const sources = new Map((await inputs()).map((path) => [path, readFileSync(join(ROOT, path), "utf8")]));
  const scripts = new Map([...sources].filter(([path]) => /\.[mc]?[jt]s$/.test(path)));
  const generators = new Set([...scripts.values()].flatMap((source) => asyncGenerators(parse(source))));
  const found = [...sources].flatMap(([path, source]) => {
    const lacking = scripts.has(path) ? inScript(source, generators) : inText(source, path);
    return lacking
      .filter((what) => !isRefused(what, sources) && !isAskedFor(`${path}: ${what}`, sources))
      .map((what) => `${path}: ${what}`);
  });
  return { files: [...sources.keys()], found };
}

function isRefused(what: string, sources: ReadonlyMap<string, string>): boolean {
  const [name = ""] = what.split(": ");
  const by = Object.hasOwn(REFUSED, name) ? sources.get(REFUSED[name] ?? "") : undefined;
  return by?.includes("NotSupportedError") === true;
}

function isAskedFor(where: string, sources: ReadonlyMap<string, string>): boolean {
  const found = Object.entries(ASKED).find(([entry]) => where.startsWith(`${entry}: `));
  if (!found) return false;
  const [by, method] = found[1];
  return sources.get(by)?.includes(method) === true;
}

async function inputs(): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [...ENTRIES, "web/page/page.css"],
    bundle: true,
    write: false,
    outdir: "unused",
    format: "esm",
    metafile: true,
    logLevel: "silent",
  });
  return [...Object.keys(metafile.inputs), "web/page/index.html", "web/hosts/vault/index.html"];
}

/** `generators`: names of functions whose call may be iterated with `for await`. Those of the source itself are known. */
export function inScript(source: string, generators: ReadonlySet<string> = new Set()): string[] {
  const program = parse(source);
  const known = new Set([...generators, ...asyncGenerators(program)]);
  const checked = featureChecks(program);
  const found: string[] = [];
  walk(program, (node) => {
    const what = reliance(node, known);
    if (what !== undefined && !checked.has(what.name) && !checked.has(METHODS[what.name] ?? ""))
      found.push(`${what.name}: ${what.engines}`);
  });
  return found;
}

/** Styles and documents; what stands in `@supports` is checked. */
export function inText(source: string, path: string): string[] {
  const text = source
    .replace(/@supports[^{]*\{(?:[^{}]|\{[^{}]*\})*\}/g, "")
    .replace(/\/\*[\s\S]*?\*\//g, "");
  return (path.endsWith(".css") ? CSS : HTML).filter(([use]) => use.test(text)).map(([, what]) => what);
}

function reliance(
  node: Node,
  generators: ReadonlySet<string>,
): { name: string; engines: string } | undefined {
  if (isIteration(node)) {
    const iterated = (node.right ?? node.argument) as Node;
    const name = iterated.type === "CallExpression" ? nameOf(iterated.callee as Node) : undefined;
    if (name !== undefined && generators.has(name)) return undefined;
    return { name: "async iteration of what may be a stream", engines: "WebKit" };
  }
  if (node.type === "Literal" && typeof node.value === "string" && ALGORITHM.test(node.value))
    return { name: node.value, engines: "not in all engines" };
  const used = usedBy(node);
  if (used === undefined) return undefined;
  const name = nameOf(used)!;
  const qualified = used.type === "MemberExpression" ? `${nameOf(used.object as Node)}.${name}` : name;
  const engines = STATICS[qualified] ?? (Object.hasOwn(NAMES, name) ? NAMES[name] : undefined);
  return engines === undefined ? undefined : { name: qualified in STATICS ? qualified : name, engines };
}

/** `for await` and, in an async generator, `yield*`. */
function isIteration(node: Node): boolean {
  return (node.type === "ForOfStatement" && node.await === true) || node.type === "AsyncDelegation";
}

/** What fails if it is undefined: what is called, constructed, or looked into. Not with `?.`. */
function usedBy(node: Node): Node | undefined {
  if (node.optional === true) return undefined;
  const used =
    node.type === "CallExpression" || node.type === "NewExpression"
      ? (node.callee as Node)
      : node.type === "MemberExpression"
        ? (node.object as Node)
        : node.type === "SpreadElement"
          ? (node.argument as Node)
          : undefined;
  return used !== undefined && nameOf(used) !== undefined ? used : undefined;
}

function nameOf(node: Node): string | undefined {
  if (node.type === "Identifier") return node.name as string;
  if (node.type !== "MemberExpression") return undefined;
  const property = node.property as Node;
  if (!node.computed) return property.name as string | undefined;
  return typeof property.value === "string" ? property.value : undefined;
}

/** Names that the program asks for: `"name" in x`, `typeof x.name`, or as a condition. */
function featureChecks(program: Node): Set<string> {
  const names = new Set<string>();
  const condition = (node: Node | undefined) => {
    if (node !== undefined) names.add(nameOf(node) ?? "");
  };
  walk(program, (node) => {
    if (node.type === "BinaryExpression" && node.operator === "in")
      names.add(String((node.left as Node).value));
    if (node.type === "UnaryExpression" && /^(typeof|!)$/.test(String(node.operator)))
      condition(node.argument as Node);
    if (node.type === "LogicalExpression") condition(node.left as Node);
    if (node.type === "IfStatement" || node.type === "ConditionalExpression") condition(node.test as Node);
  });
  return names;
}

function asyncGenerators(program: Node): string[] {
  const names: string[] = [];
  walk(program, (node) => {
    const key = (node.id ?? node.key) as Node | undefined;
    const body = (node.type === "FunctionDeclaration" ? node : (node.value ?? node.init)) as Node | undefined;
    if (key !== undefined && body?.async === true && body.generator === true) names.push(String(key.name));
  });
  return names;
}

function parse(source: string): Node {
  const { code } = transformSync(source, { loader: "ts", target: "esnext" });
  const program = parseAst(`${code}\nexport {};`) as unknown as Node;
  markDelegations(program, false);
  return program;
}

/** `yield*` is an async iteration in an async generator only. */
function markDelegations(node: Node, inAsync: boolean): void {
  if (node.type === "YieldExpression" && node.delegate === true && inAsync) node.type = "AsyncDelegation";
  const within = /Function/.test(node.type) ? node.async === true : inAsync;
  for (const child of children(node)) markDelegations(child, within);
}

function walk(node: Node, visit: (node: Node) => void): void {
  visit(node);
  for (const child of children(node)) walk(child, visit);
}

function children(node: Node): Node[] {
  return Object.values(node)
    .flat()
    .filter((value): value is Node => typeof value === "object" && value !== null && "type" in value);
}
