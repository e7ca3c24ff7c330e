/** The handlers of `@coffer/kit/msw` from the packed package, in a project that has msw. */

import { beforeAll, expect, it } from "vitest";
import { type Project, packPackage } from "./installed.ts";

let project: Project;
beforeAll(() => {
  project = packPackage().install("msw", { also: ["msw", "@types/node"] });
});

const SERVER = `
  import { setupServer } from "msw/node";
  import { cofferHandlers, problem } from "@coffer/kit/msw";
  const sites = { app: "https://app.test", vault: "https://vault.test" };
  const answers = {
    listDocuments: { documents: [{ id: "one", account: "mine", size: 1, created: 1 }] },
    deleteDocument: () => { throw problem("pending-deletion"); },
  };
`;

it("the packed handlers answer the contract, as a test says", () => {
  const printed = project.node(`${SERVER}
    const server = setupServer(...cofferHandlers({ ...sites, answers }));
    server.listen();
    const headers = { authorization: "DPoP token", dpop: "proof" };
    const listed = await fetch("https://app.test/accounts/mine/documents", { headers });
    console.log(listed.status, (await listed.json()).documents[0].id);
    const gone = await fetch("https://app.test/accounts/mine/documents/one", { method: "DELETE", headers });
    console.log(gone.status, (await gone.json()).code);
    console.log((await fetch("https://vault.test/session")).status);
    console.log((await fetch("https://app.test/accounts")).status);
    server.close();
  `);
  expect(printed).toBe("200 one\n403 pending-deletion\n200\n401");
});

it("its types know each operation's answer", () => {
  const options = {
    module: "nodenext",
    target: "es2024",
    lib: ["ES2024", "DOM", "DOM.Iterable"],
    types: ["node"],
  };
  const source = `${SERVER}
    setupServer(...cofferHandlers({ ...sites, answers }));
    // @ts-expect-error a size is a number
    cofferHandlers({ ...sites, answers: { listDocuments: { documents: [{ id: "a", account: "a", size: "1", created: 1 }] } } });
    // @ts-expect-error there is no such operation
    cofferHandlers({ ...sites, answers: { listDocument: {} } });
  `;
  expect(project.types(source, { ...options, strict: true, noEmit: true, skipLibCheck: true })).toBe("");
});
