/** How many objects a request asks: counted in the running worker. None of them is the tenant's, which all requests share. */

import { expect, it, vi } from "vitest";
import { COUNTS_PATH, type Counts, countedScript } from "../../bench/load/counted.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, send } from "../support/http.ts";
import { type EnrolmentAnswer, enrol, makeKeys } from "../support/instance.ts";
import { useSystem } from "../system/index.ts";

vi.mock("#cli/parts/index.ts", async (original) => {
  const parts = await original<typeof import("#cli/parts/index.ts")>();
  return {
    ...parts,
    async edgeWorker() {
      const { script, options } = await parts.edgeWorker();
      return { script: await countedScript(script), options };
    },
  };
});

const system = useSystem();
const counts = async () => json<Counts>(await send(`${system.appOrigin}${COUNTS_PATH}`));

/** Classes of the objects that the request asks, once all is warm. Those of the audit are asked by alarm, some time later. */
async function asked(request: () => Promise<{ status: number }>): Promise<string[]> {
  const found: string[][] = [];
  expect((await request()).status).toBe(200);
  // Now and then an isolate reads what it keeps of the tenant again: of three times it does so in one at most.
  for (let turn = 0; turn < 3; turn++) {
    await counts();
    expect((await request()).status).toBe(200);
    const { objects } = await counts();
    found.push(Object.keys(objects).filter((object) => !object.startsWith("Audit")));
  }
  return found.sort((a, b) => a.length - b.length)[0]!.sort();
}

const classes = (objects: string[]) => objects.map((object) => object.split(" ", 1)[0]);
const names = (objects: string[]) => objects.map((object) => object.split(" ")[1]);

it("a load asks five, and none is the tenant's", async () => {
  const ann = await EdgeClient.signedIn(system, "Ann");
  const order = { account: ann.account, count: 1, purpose: "document" };
  const { edks } = json<{ edks: [string] }>(await ann.rest("POST", "/kms/data-keys", order));
  const { wrappingCertificate: certificate } = json<EnrolmentAnswer>(await enrol(ann, await makeKeys()));
  const objects = await asked(() =>
    ann.rest("POST", "/kms/loads", { way: "rewrap", edk: edks[0], certificate }),
  );
  expect(classes(objects)).toEqual([
    "GatewayObject",
    "IamAccountObject",
    "IamPrincipalObject",
    "KmsAccountObject",
    "RaPrincipalObject",
  ]);
  expect(names(objects)).not.toContain("development");
});

it("an EDK that is none is refused by the caller's own objects, and none is the tenant's", async () => {
  const ann = await EdgeClient.signedIn(system, "Ann");
  const { wrappingCertificate: certificate } = json<EnrolmentAnswer>(await enrol(ann, await makeKeys()));
  const load = () => ann.rest("POST", "/kms/loads", { way: "rewrap", edk: "e.d.k", certificate });
  expect((await load()).status).toBe(400);
  await counts();
  expect((await load()).status).toBe(400);
  const objects = Object.keys((await counts()).objects).filter((object) => !object.startsWith("Audit"));
  expect(classes(objects.sort())).toEqual(["GatewayObject", "KmsPrincipalObject"]);
  expect(names(objects)).not.toContain("development");
});

it("a part of a document asks two, and neither is the tenant's", async () => {
  const ann = await EdgeClient.signedIn(system, "Ann");
  const { id } = json<{ id: string }>(await ann.rest("POST", ann.documents, {}));
  const objects = await asked(() => ann.rest("PUT", `${ann.documents}/${id}/parts/1`, new Uint8Array(9)));
  expect(classes(objects)).toEqual(["DatastoreAccountObject", "GatewayObject"]);
  expect(names(objects)).not.toContain("development");
});
