import { expect, it } from "vitest";
import { arrowsOf, partiesOf } from "./flow-arrows.ts";
import type { Flow } from "./flow-log.ts";

const timing =
  'gateway;dur=40, gateway-kms;dur=35;desc="load", kms-iam;dur=3;desc="accountKey", kms-hsm;dur=12;desc="Import*2 Get"';
const loads = { step: "server", what: "POST /kms/loads", at: 100, ms: 45, status: 200, timing } as const;
const load = {
  ...{ step: "vault", what: "load", at: 150, ms: 4 },
  loaded: [{ keyId: "k-1", keyVersion: 2 }],
} as const;
const held = [
  { what: "data key", key: "k-1.2", left: 1000, wrapping: "RSA-OAEP", under: "A256KW", account: "a" },
];

const flow = (...messages: unknown[]) => ({ messages: messages as Flow["messages"] });
const said = (arrows: ReturnType<typeof arrowsOf>) =>
  arrows.map(({ from, to, what }) => `${from} ${to} ${what}`);

it("draws what was told, each request with what was done for it, in order", () => {
  const asked = [
    {
      ...{ what: "POST /kms/retained-keys 200", at: 120, ms: 9 },
      timing: 'gateway;dur=8, kms-hsm;dur=2;desc="Get"',
    },
  ];
  const arrows = arrowsOf(flow(load, loads), { asked, held });
  expect(said(arrows)).toEqual([
    "page gateway POST /kms/loads",
    "gateway kms load",
    "kms iam accountKey",
    "kms hsm Import*2 Get",
    "vault gateway POST /kms/retained-keys",
    "kms hsm Get",
    "page vault load",
  ]);
  expect(arrows.map(({ wire }) => wire)).toEqual([
    ...["proved", "binding", "binding", "kmip"],
    ...["rest", "kmip", "port"],
  ]);
  expect(arrows.map(({ ms }) => ms)).toEqual([45, 35, 3, 12, 9, 2, 4]);
  expect(partiesOf(arrows)).toEqual(["page", "vault", "gateway", "iam", "kms", "hsm"]);
});

it("says of a key how it came by the vault's word, and no more than that", () => {
  const [arrow] = arrowsOf(flow(load), { asked: [], held });
  expect(arrow?.keys).toEqual([{ key: "k-1.2", wrapping: "RSA-OAEP", under: "A256KW" }]);
  // It is not held any more.
  const [gone] = arrowsOf(flow(load), { asked: [], held: [] });
  expect(gone?.keys).toEqual([{ key: "k-1.2", wrapping: "", under: "" }]);
});

it("draws nothing out of a header that is not of the edge's form, and no ids", () => {
  for (const other of [
    "",
    "cdn;dur=5, origin;dur=9",
    'kms-moon;dur=1;desc="Get"',
    'kms-hsm;dur=-1;desc="Get"',
    'kms-hsm;dur=1;desc="<b>Get</b>"',
    'x-kms-hsm;dur=1;desc="Get"',
  ])
    expect(said(arrowsOf(flow({ ...loads, timing: other }), { asked: [], held }))).toEqual([
      "page gateway POST /kms/loads",
    ]);
  const what = "GET /accounts/0b7e6a4e-7c1f-4a86-9d3a-5a2f1f3a9b01/documents/A1b2C3d4E5f6G7/content";
  const [arrow] = arrowsOf(flow({ ...loads, what, timing: "" }), { asked: [], held });
  expect(arrow?.what).toBe("GET /accounts/…/documents/…/content");
});

it("says what failed, of the page's requests and of the vault's own", () => {
  const asked = [403, 200].map((status) => {
    return { what: `POST /instances/master-key ${status}`, at: 1, ms: 9, timing: "" };
  });
  expect(arrowsOf(flow(), { asked, held }).map(({ what, failed }) => `${what} ${failed}`)).toEqual([
    "POST /instances/master-key 403",
    "POST /instances/master-key undefined",
  ]);
  const [refused] = arrowsOf(flow({ ...loads, status: 403, timing: "" }), { asked: [], held });
  expect(refused?.failed).toBe("403");
  const [away] = arrowsOf(flow({ ...loads, status: 0, timing: "" }), { asked: [], held });
  expect(away?.failed).toBe("offline");
  const [closed] = arrowsOf(flow({ ...load, loaded: undefined, code: "key-refused" }), { asked: [], held });
  expect(closed?.failed).toBe("key-refused");
});
