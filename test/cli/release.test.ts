/** Releases in the open: `coffer release` keeps a log of them, and `coffer release verify` holds the vault of a real edge against it, from outside. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { encodeBundle, parseTilePath, signCheckpoint, verifyCheckpoint } from "#protocol/log/index.ts";
import { buildWeb } from "#web/build.ts";
import { useSystem } from "../system/index.ts";
import { type Outcome, run } from "./command.ts";

const system = useSystem();
const folder = mkdtempSync(join(tmpdir(), "coffer-release-"));
/** An answer of the edge as it is passed on: changed, or as it is. */
type Answer = { status: number; headers: Record<string, string>; body: Buffer };
type Asked = Record<string, string | string[] | undefined>;
/** `path` is `/` for the vault's document, at whatever `address`. */
let meanwhile: (path: string, answer: Answer, asked: Asked, address: string) => Answer = (_, answer) =>
  answer;
let between: Server;
let vault: string;
let logKey: string;
let older: string;

const coffer = (...args: string[]): Promise<Outcome> => run(args, folder);
const at = (name: string) => join(folder, name);
const webOf = () => join(system.dir, "web");

/** What stands before the edge in a test, and may lie. */
async function proxy(): Promise<Server> {
  const server = createServer((request, response) => {
    const path = request.url ?? "/";
    const kept = Object.entries(request.headers).filter(([name]) => /^(sec-fetch|user-|accept$)/.test(name));
    const asked = Object.fromEntries(kept) as Record<string, string>;
    void loopbackFetch(system.vaultOrigin + path, { redirect: "manual", headers: asked }).then(
      async (answered) => {
        const headers = Object.fromEntries(answered.headers);
        // Policies name the origin at which the browser is.
        const policy = headers["content-security-policy"] ?? "";
        headers["content-security-policy"] = policy.replaceAll(system.vaultOrigin, vault);
        delete headers["content-length"];
        delete headers["transfer-encoding"];
        const body = Buffer.from(await answered.arrayBuffer());
        // The document is asked for at another address each time.
        const answer = meanwhile(
          path.replace(/^\/\?.*/, "/"),
          { status: answered.status, headers, body },
          request.headers,
          path,
        );
        response.writeHead(answer.status, answer.headers).end(answer.body);
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

const publish = async (number: number, web: string, log = "log") =>
  coffer(
    ...["release", "--number", String(number), "--key", "release.pem", "--web", web],
    ...["--log", log, "--log-name", "example.test/log", "--log-key", "log.pem"],
  );
const verify = (...more: string[]) =>
  coffer(
    "release",
    "verify",
    vault,
    "--log",
    "log",
    "--log-key",
    logKey,
    "--key",
    "release-public.pem",
    ...more,
  );
const kinds = ({ stdout }: Outcome) => [
  ...new Set(
    stdout
      .split("\n")
      .filter(Boolean)
      .map((line) => line.split(":")[0]),
  ),
];
const named = (start: string, web = webOf()) =>
  readdirSync(join(web, "vault")).find((name) => name.startsWith(`${start}.`) && name.endsWith(".js"))!;
const served = (name: string, web = webOf()) => readFileSync(join(web, "vault", name));
const integrity = (bytes: Uint8Array) => `sha384-${createHash("sha384").update(bytes).digest("base64")}`;

beforeAll(async () => {
  const release = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(at("release.pem"), release.privateKey.export({ format: "pem", type: "pkcs8" }));
  writeFileSync(at("release-public.pem"), release.publicKey.export({ format: "pem", type: "spki" }));
  const log = generateKeyPairSync("ed25519");
  writeFileSync(at("log.pem"), log.privateKey.export({ format: "pem", type: "pkcs8" }));
  older = at("older");
  await buildWeb({ rootKey: new Uint8Array(91).fill(7), outDir: older });
  expect((await publish(1, older)).code).toBe(0);
  const second = await publish(2, webOf());
  expect(second.code, second.stderr).toBe(0);
  logKey = /is entry 1 of (\S+)/.exec(second.stderr)![1]!;
  between = await proxy();
  vault = `http://127.0.0.1:${(between.address() as { port: number }).port}`;
});
afterEach(() => {
  meanwhile = (_, answer) => answer;
});
afterAll(() => {
  between?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("coffer release verify", () => {
  it("M21 finds the vault of a deployment to be the newest release in the log, and says so", async () => {
    const { code, stdout, stderr } = await verify("--app", system.appOrigin, "--checkpoint", "seen");
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("is release 2");
    expect(readFileSync(at("seen"), "utf8")).toBe(readFileSync(at("log/checkpoint"), "utf8"));
    const json = await verify("--json");
    expect(JSON.parse(json.stdout)).toEqual({
      ...{ vault, release: 2, found: [], since: null },
      framedBy: [system.appOrigin],
    });
  });

  it("M21 finds one byte changed, in any file, and a file that is missing", async () => {
    for (const name of ["/", `/${named("loader")}`, `/${named("microservice")}`, "/page.js"]) {
      meanwhile = (path, answer) =>
        path === name ? { ...answer, body: Buffer.concat([answer.body, Buffer.from(" ")]) } : answer;
      const outcome = await verify();
      expect([outcome.code, kinds(outcome)], name).toEqual([1, ["file-changed"]]);
      expect(outcome.stdout).toContain(`file-changed: ${name} `);
    }
    meanwhile = (path, answer) => (path === "/page.js" ? { ...answer, status: 404 } : answer);
    expect(kinds(await verify())).toEqual(["file-missing"]);
  });

  it("M4 M21 finds a loader that lies about what it measured, though document and hashes agree with it", async () => {
    // It tells the microservice that it is what the release says, whatever runs.
    const lying = Buffer.from(
      `${served(named("loader")).toString()}\n// says sha384 of the release, and runs another code`,
    );
    const html = served("index.html")
      .toString()
      .replace(named("loader"), "loader.0123456789abcdef.js")
      .replace(integrity(served(named("loader"))), integrity(lying));
    meanwhile = (path, answer) => {
      if (path === "/") return { ...answer, body: Buffer.from(html) };
      const loader = {
        ...answer,
        status: 200,
        headers: { ...answer.headers, "content-type": "text/javascript" },
      };
      return path === "/loader.0123456789abcdef.js" ? { ...loader, body: lying } : answer;
    };
    const outcome = await verify();
    expect(outcome.code).toBe(1);
    expect(kinds(outcome)).toEqual(["file-changed", "file-added"]);
    expect(outcome.stdout).toContain("file-added: /loader.0123456789abcdef.js");
  });

  it("M21 finds a file that was added: a Service Worker, or a script that the gateway's own pages load", async () => {
    meanwhile = (path, answer) =>
      path === "/service-worker.js"
        ? { ...answer, status: 200, body: Buffer.from("onfetch = () => {}") }
        : answer;
    const worker = await verify();
    expect([worker.code, kinds(worker)]).toEqual([1, ["file-added"]]);
    meanwhile = (path, answer) =>
      path === "/account"
        ? {
            ...answer,
            body: Buffer.from(
              answer.body.toString().replace("</head>", '<script src="/more.js"></script></head>'),
            ),
          }
        : answer;
    const script = await verify();
    expect([script.code, kinds(script)]).toEqual([1, ["file-added"]]);
    expect(script.stdout).toContain("/more.js");
  });

  it("M18 M21 finds one who lies at the one address of the vault's document alone, by its bytes and by how long a browser has it", async () => {
    const [day, asked] = ["private, max-age=86400", "no-cache"];
    for (const [lies, shown, caching, other] of [
      [(address: string) => address === "/", "/", asked, day],
      [(address: string) => address.startsWith("/?"), "/?…", day, asked],
    ] as const) {
      meanwhile = (_, answer, __, address) =>
        lies(address) ? { ...answer, body: Buffer.concat([answer.body, Buffer.from(" ")]) } : answer;
      const changed = await verify();
      expect([changed.code, kinds(changed)], shown).toEqual([1, ["file-changed"]]);
      expect(changed.stdout).toContain(`file-changed: ${shown} `);
      meanwhile = (_, answer, __, address) => {
        if (!lies(address)) return answer;
        expect(answer.headers["cache-control"]).toBe(caching);
        return { ...answer, headers: { ...answer.headers, "cache-control": other } };
      };
      const kept = await verify();
      expect([kept.code, kinds(kept)], shown).toEqual([1, ["header"]]);
      expect(kept.stdout).toContain(`header: ${shown} cache-control is ${other}`);
    }
  });

  it("M21 finds an older release, file by file", async () => {
    meanwhile = (path, answer) => (path === "/" ? { ...answer, body: served("index.html", older) } : answer);
    const outcome = await verify();
    expect(outcome.code).toBe(1);
    expect(outcome.stdout).toContain("older-release: / its bytes are those of release 1");
  });

  it("M21 finds headers that let more run, or anybody frame it", async () => {
    const policy = (change: (text: string) => string) => (path: string, answer: Answer) =>
      path === "/"
        ? {
            ...answer,
            headers: {
              ...answer.headers,
              "content-security-policy": change(answer.headers["content-security-policy"]!),
            },
          }
        : answer;
    const header = (name: string, value: string | undefined) => (path: string, answer: Answer) => {
      const { [name]: _, ...headers } = answer.headers;
      return path === "/"
        ? { ...answer, headers: value === undefined ? headers : { ...headers, [name]: value } }
        : answer;
    };
    for (const change of [
      policy((text) => text.replace("script-src 'self'", "script-src 'self' https://elsewhere.example")),
      policy((text) => text.replace("; trusted-types vault-loader", "")),
      policy((text) => text.replace(/frame-ancestors [^;]+/, "frame-ancestors *")),
      policy((text) => text.replace(/frame-ancestors [^;]+;?/, "")),
      policy((text) => `${text}, default-src 'none'`),
      policy((text) => `${text}; style-src 'unsafe-inline'`),
      header("integrity-policy", undefined),
      header("cache-control", "max-age=31536000, immutable"),
      header("x-content-type-options", undefined),
      header("link", "</more.js>; rel=preload; as=script"),
    ]) {
      meanwhile = change;
      const outcome = await verify();
      expect([outcome.code, kinds(outcome)], outcome.stdout).toEqual([1, ["header"]]);
    }
    meanwhile = (_, answer) => answer;
    expect(kinds(await verify("--app", "http://elsewhere.example"))).toEqual(["header"]);
  });
});

const withPolicy = (answer: Answer, change: (text: string) => string): Answer => ({
  ...answer,
  headers: {
    ...answer.headers,
    "content-security-policy": change(answer.headers["content-security-policy"]!),
  },
});
const asPage = (answer: Answer, content: string): Answer => ({
  ...answer,
  headers: { ...answer.headers, "content-type": "text/html; charset=UTF-8" },
  body: Buffer.from(`<!doctype html><html><body>${content}</body></html>`),
});

describe("foreign script on the vault's origin", () => {
  it("M21 finds a policy that lets more run, on each page, on a file, and where there is nothing", async () => {
    const more = (text: string) => `${text}; script-src 'self' 'unsafe-inline'`;
    const own = (text: string) => text.replace(/script-src [^;]+/, "script-src 'self'");
    const asks = (path: string) => path.startsWith("/authorize?");
    for (const [name, lies, change] of [
      ["/account", (path: string) => path === "/account", own],
      ["/authorize", (path: string) => path === "/authorize", own],
      ["/authorize", asks, (text: string) => `${text}; script-src 'self'`],
      ["/sign-in/callback", (path: string) => path.startsWith("/sign-in/callback"), own],
      ["/account", (path: string) => path === "/account", (text: string) => `${text}, ${text}`],
      ["/account", (path: string) => path === "/account", () => ""],
      ["/page.js", (path: string) => path === "/page.js", more],
      ["/sw.js", (path: string) => path === "/sw.js", more],
      ["/", (path: string) => /^\/[\w-]{43}$/.test(path), more],
    ] as const) {
      meanwhile = (path, answer) => (lies(path) ? withPolicy(answer, change) : answer);
      const outcome = await verify("--app", system.appOrigin);
      expect([outcome.code, kinds(outcome)], `${name}: ${outcome.stdout}`).toEqual([1, ["header"]]);
      expect(outcome.stdout).toContain(`header: ${name}`);
    }
  });

  it("M21 finds script on a page however it is written, and in a page with status 404", async () => {
    for (const [content, told] of [
      ["<svg onload=alert(1)>", "a <svg onload>"],
      ["<img src=x onerror=alert(1)>", "file-added: x "],
      ['<script data-src="/page.js" src="/evil.js"></script>', "/evil.js"],
      ['<link rel="icon modulepreload" href="/evil.js">', "/evil.js"],
    ] as const)
      for (const lies of [
        (path: string) => path === "/account",
        (path: string) => /^\/[\w-]{43}$/.test(path),
      ]) {
        meanwhile = (path, answer) => (lies(path) ? asPage(answer, content) : answer);
        const outcome = await verify();
        expect([outcome.code, kinds(outcome)], content).toEqual([1, ["file-added"]]);
        expect(outcome.stdout).toContain(told);
      }
  });

  it("M21 asks as a browser does: who lies to browsers alone, or to an app's sign-in alone, is found", async () => {
    const seen: Asked[] = [];
    meanwhile = (path, answer, asked) => {
      seen.push(asked);
      const person = path.startsWith("/authorize?") && path.includes("code_challenge=");
      const browser =
        asked["sec-fetch-dest"] === "document" && `${asked["user-agent"]}`.startsWith("Mozilla/5.0 ");
      return person && browser ? asPage(answer, '<script src="/evil.js"></script>') : answer;
    };
    expect(kinds(await verify())).toEqual(["file-added"]);
    for (const asked of seen) {
      expect(asked).toMatchObject({ "sec-fetch-mode": expect.any(String), accept: expect.any(String) });
      expect(asked["user-agent"]).toMatch(/^Mozilla\/5\.0 .* Safari\//);
      expect(asked["accept-language"]).toMatch(/^en-US,/);
      expect(Object.keys(asked)).not.toContain("cache-control");
    }
    const dests = ["document", "empty", "iframe", "image", "script", "serviceworker"];
    expect(new Set(seen.map((asked) => asked["sec-fetch-dest"]))).toEqual(new Set(dests));
  });

  it("M21 reads what a server compresses for a browser, and finds a byte more in it", async () => {
    const codings = { br: brotliCompressSync, gzip: gzipSync, deflate: deflateSync };
    for (const [coding, compress] of Object.entries(codings))
      for (const more of ["", " "]) {
        meanwhile = (path, answer) => ({
          ...answer,
          headers: { ...answer.headers, "content-encoding": coding },
          body: compress(Buffer.concat([answer.body, Buffer.from(path === "/page.js" ? more : "")])),
        });
        const { found } = JSON.parse((await verify("--json")).stdout) as { found: { kind: string }[] };
        expect(
          found.map(({ kind }) => kind),
          coding,
        ).toEqual(more === "" ? [] : ["file-changed"]);
      }
  });

  it("M21 finds frame-ancestors that stand for more than one origin, and says who may frame it where no app is named", async () => {
    for (const framers of [
      "http:",
      "https:",
      "'self'",
      "http://*.example",
      "http://localhost:*",
      "https://a.example",
    ]) {
      meanwhile = (path, answer) =>
        path === "/"
          ? withPolicy(answer, (text) => text.replace(/frame-ancestors [^;]+/, `frame-ancestors ${framers}`))
          : answer;
      const outcome = await verify();
      expect(outcome.code, framers).toBe(1);
      expect(outcome.stdout).toContain(`frame-ancestors has ${framers}, which is no origin`);
    }
    meanwhile = (_, answer) => answer;
    expect((await verify()).stdout).toContain(`may be framed by ${system.appOrigin}: `);
    expect((await verify("--app", system.appOrigin)).stdout).not.toContain("may be framed by");
    for (const app of ["http://*.example", "https:", "https://a.example", `${system.appOrigin}/`])
      expect(await verify("--app", app), app).toMatchObject({ code: 2, stdout: "" });
  });
});

describe("the log of releases", () => {
  it("M21 says that an old log may have been shown with an old vault where no checkpoint was kept, and finds it where one was", async () => {
    const first = await verify("--checkpoint", "fresh");
    expect(first.stdout, "the file was not there").toContain("there was no checkpoint");
    const second = await verify("--checkpoint", "fresh");
    expect(second).toMatchObject({ code: 0 });
    expect(second.stdout).not.toContain("there was no checkpoint");
    expect(JSON.parse((await verify("--checkpoint", "fresh", "--json")).stdout)).toMatchObject({ since: 2 });
    expect((await publish(1, older, "old")).code).toBe(0);
    const files = new Map(readdirSync(join(older, "vault")).map((name) => [`/${name}`, served(name, older)]));
    files.set("/", served("index.html", older));
    const headers = { "x-content-type-options": "nosniff", "content-type": "text/javascript; charset=utf-8" };
    meanwhile = (path, answer) => {
      const body = files.get(path);
      if (body === undefined) return answer;
      return {
        status: 200,
        headers: answer.status === 200 ? answer.headers : { ...answer.headers, ...headers },
        body,
      };
    };
    const old = [
      "release",
      "verify",
      vault,
      "--log",
      "old",
      "--log-key",
      logKey,
      "--key",
      "release-public.pem",
    ];
    const taken = await coffer(...old);
    expect(taken.code, taken.stdout).toBe(0);
    expect(taken.stdout).toContain("is release 1");
    expect(taken.stdout).toContain("there was no checkpoint");
    expect(kinds(await coffer(...old, "--checkpoint", "fresh"))).toEqual(["log-forked"]);
  });

  it("M21 takes the log's word for --max-age, and no older one; sign-log renews it", async () => {
    const signed = (time?: number) => {
      const key = createPrivateKey(readFileSync(at("log.pem"), "utf8"));
      const raw = Buffer.from(String(createPublicKey(key).export({ format: "jwk" }).x), "base64url");
      const by = {
        ...{ name: "example.test/log", key: new Uint8Array(raw) },
        sign: async (bytes: Uint8Array) => new Uint8Array(sign(null, bytes, key)),
      };
      return async () => {
        const tree = await verifyCheckpoint(readFileSync(at("log/checkpoint"), "utf8"), by);
        writeFileSync(at("log/checkpoint"), await signCheckpoint(tree, by, time));
      };
    };
    const day = 24 * 3600;
    const now = Math.floor(Date.now() / 1000);
    expect((await verify("--max-age", "1")).code, "just published").toBe(0);
    for (const time of [now - 2 * day, now + day, undefined]) {
      await signed(time)();
      expect(kinds(await verify("--max-age", "1"))).toEqual(["log-old"]);
      expect((await verify()).code, "where nobody asks").toBe(0);
    }
    await signed(now - 2 * day)();
    expect((await verify("--max-age", "3")).code).toBe(0);
    const by = ["--log-name", "example.test/log", "--log-key", "log.pem"];
    expect((await coffer("release", "sign-log", "--log", "log", ...by)).code).toBe(0);
    expect((await verify("--max-age", "1")).code, "signed again").toBe(0);
    expect((await coffer("release", "sign-log", "--log", "none", ...by)).code, "no log").toBe(1);
    expect((await verify("--max-age", "0")).code).toBe(2);
  });

  it("M21 finds a log that forked, that was cut back, that another key signed, and an entry that is not in its tree", async () => {
    expect((await verify("--checkpoint", "kept")).code).toBe(0);
    cpSync(at("log"), at("good"), { recursive: true });
    const instead = (name: string) => {
      rmSync(at("log"), { recursive: true });
      cpSync(at(name), at("log"), { recursive: true });
    };
    // Another first release, and all that follows on it, by the log's own key.
    expect((await publish(1, webOf(), "fork")).code).toBe(0);
    expect((await publish(2, webOf(), "fork")).code).toBe(0);
    expect((await publish(3, webOf(), "fork")).code).toBe(0);
    instead("fork");
    expect(kinds(await verify("--checkpoint", "kept"))).toEqual(["log-forked"]);
    expect((await verify()).code, "without what was kept it looks well").toBe(0);
    expect((await publish(1, older, "short")).code).toBe(0);
    instead("short");
    expect(kinds(await verify("--checkpoint", "kept"))).toEqual(["log-forked"]);
    instead("good");
    writeFileSync(at("log/checkpoint"), readFileSync(at("log/checkpoint"), "utf8").replace("\n2\n", "\n1\n"));
    expect(kinds(await verify())).toEqual(["log-unsigned"]);
    instead("good");
    const [bundle] = readdirSync(at("log/tile/entries"), { recursive: true, withFileTypes: true }).filter(
      (file) => file.isFile() && file.name === "2",
    );
    const path = join(bundle!.parentPath, bundle!.name);
    expect(parseTilePath("tile/entries/000.p/2")).not.toBeNull();
    const token = readFileSync(path).subarray(2, 2 + readFileSync(path).readUInt16BE(0));
    writeFileSync(path, encodeBundle([token, token]));
    expect(kinds(await verify())).toEqual(["log-broken"]);
    instead("good");
    expect((await verify("--checkpoint", "kept")).code, "and goes on where it was").toBe(0);
  });

  it("M21 takes a release that goes on from those before, and none with a number that was there", async () => {
    const again = await publish(2, webOf());
    expect(again).toMatchObject({ code: 1, stdout: "" });
    expect(again.stderr).toContain("The log has release 2");
    const both = await Promise.all([publish(3, webOf()), publish(3, webOf())]);
    expect(both.map(({ code }) => code).toSorted(), "two at once").toEqual([0, 1]);
    const on = await verify("--checkpoint", "seen");
    expect(on.stdout).toContain("is release 3");
    expect(on.code).toBe(0);
    const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
    writeFileSync(at("other.pem"), other.export({ format: "pem", type: "spki" }));
    const by = (key: string) => ["--log", "log", "--log-key", logKey, "--key", key];
    expect(kinds(await coffer("release", "verify", vault, ...by("other.pem")))).toEqual(["release-unsigned"]);
    const secret = await coffer("release", "verify", vault, ...by("release.pem"));
    expect(secret).toMatchObject({ code: 1, stdout: "" });
    expect(secret.stderr).toContain("--key: release.pem has the private half");
  });

  it("M21 asks an address for each file of the log once", async () => {
    const asked: string[] = [];
    const server = createServer(({ url = "" }, response) => {
      asked.push(url);
      response.end(readFileSync(join(at("log"), url)));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as { port: number };
    const served = ["--log", `http://127.0.0.1:${port}`, "--log-key", logKey, "--key", "release-public.pem"];
    const { code, stdout } = await coffer("release", "verify", vault, ...served).finally(() =>
      server.close(),
    );
    expect(code, stdout).toBe(0);
    expect(asked.length).toBeGreaterThanOrEqual(3);
    expect(new Set(asked).size).toBe(asked.length);
  });

  it("M21 grows over many tiles, each written once it is whole, and every release stays in it", async () => {
    const { appendEntry, entriesOf, logAt, nodesOf, readCheckpoint } = await import("#cli/release-log.ts");
    const { consistencyProof, parseNoteKey, verifyConsistency } = await import("#protocol/log/index.ts");
    const { createPrivateKey, sign } = await import("node:crypto");
    const pem = createPrivateKey(readFileSync(at("log.pem")));
    const key = await parseNoteKey(logKey);
    const signer = { ...key, sign: async (bytes: Uint8Array) => new Uint8Array(sign(null, bytes, pem)) };
    const log = at("long");
    const trees = [];
    const follows = async () => undefined;
    for (let i = 0; i < 260; i++)
      trees.push(await appendEntry(log, { entry: Buffer.from(`entry ${i}`), follows }, signer));
    const read = logAt(log);
    const tree = (await readCheckpoint(read, key))!;
    expect(tree.size).toBe(260);
    expect((await entriesOf(read, 260)).map((entry) => Buffer.from(entry).toString()).at(-1)).toBe(
      "entry 259",
    );
    for (const older of [1, 2, 255, 256, 257]) {
      const proof = await consistencyProof(older, 260, nodesOf(read, 260));
      expect(await verifyConsistency(trees[older - 1]!, tree, proof), `${older}`).toBe(true);
    }
  });

  it("M21 adds nothing to the log where the rest of the command line is wrong, or the build is not its manifest's", async () => {
    const logged = ["--log", "unlogged", "--log-name", "example.test/log", "--log-key", "log.pem"];
    const of = (web: string) => ["--number", "9", "--key", "release.pem", "--web", web, ...logged];
    const unnamed = await coffer("release", ...of(webOf()), "--webcat", "never.json");
    expect(unnamed).toMatchObject({ code: 2, stdout: "" });
    cpSync(older, at("other"), { recursive: true });
    writeFileSync(join(at("other"), "vault", named("loader", older)), "// another");
    const changed = await coffer("release", ...of(at("other")), "--webcat", "never.json", "--app", vault);
    expect(changed).toMatchObject({ code: 1, stdout: "" });
    for (const name of ["unlogged", "never.json"]) expect(existsSync(at(name)), name).toBe(false);
  });

  it("M21 writes the manifest in WEBCAT's form, with the SHA-256 of each file of the vault", async () => {
    const of = ["--number", "9", "--key", "release.pem", "--web", webOf(), "--webcat", "webcat.json"];
    expect(await coffer("release", ...of)).toMatchObject({ code: 2 });
    expect((await coffer("release", ...of, "--app", system.appOrigin)).code).toBe(0);
    const manifest = JSON.parse(readFileSync(at("webcat.json"), "utf8")) as {
      default_csp: string;
      files: Record<string, string>;
    };
    const document = await loopbackFetch(`${system.vaultOrigin}/`);
    const directives = (text: string) => text.split("; ").toSorted();
    expect(directives(manifest.default_csp)).toEqual(
      directives(document.headers.get("content-security-policy")!),
    );
    for (const [path, sha256] of Object.entries(manifest.files)) {
      const answer = await loopbackFetch(system.vaultOrigin + (path === "/index.html" ? "/" : path));
      expect(
        createHash("sha256")
          .update(Buffer.from(await answer.arrayBuffer()))
          .digest("hex"),
        path,
      ).toBe(sha256);
    }
    expect(Object.keys(manifest.files).length).toBeGreaterThanOrEqual(4);
  });
});
