/** What an instance at level master asks for itself, on the real edge with the real HSM. */
import { beforeAll, describe, expect, it } from "vitest";
import { encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { createDpopKey } from "#web/client/dpop.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json, problem } from "../support/http.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { useSystem } from "../system/index.ts";

const system = useSystem({ level: "master", otherTenants: ["lower"] });
let ann: EdgeClient;
let app: InstanceClient;

beforeAll(async () => {
  ann = await EdgeClient.signedIn(system, "Ann");
  app = await InstanceClient.ready(ann);
});

describe("a token of an instance (W9)", () => {
  it("W9 is given for a private-key JWT of its identity key, on the vault's origin alone", async () => {
    const answer = await app.askToken(await app.assertion());
    expect(json(answer)).toMatchObject({ token_type: "DPoP", expires_in: 600 });
    expect(answer.headers["cache-control"]).toBe("no-store");
    const asCustodian = Object.assign(Object.create(Object.getPrototypeOf(ann)), ann, {
      key: app.key,
      tokens: { ...ann.tokens, access_token: app.token },
    }) as EdgeClient;
    expect(problem(await asCustodian.rest("GET", "/ra/instances"))).toBe("401 invalid-token");
    const asInstance = Object.assign(Object.create(Object.getPrototypeOf(app)), app, {
      key: ann.key,
      token: ann.tokens.access_token,
    }) as InstanceClient;
    expect(problem(await asInstance.rest("GET", `/instances/accounts/${ann.account}/key`))).toBe(
      "401 invalid-token",
    );
  });

  it("W9 is given for an assertion once", async () => {
    const assertion = await app.assertion();
    const answers = await Promise.all(Array.from({ length: 5 }, () => app.askToken(assertion)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401]);
  });

  it("W9 is refused for what the assertion must not say", async () => {
    const now = seconds(Date.now());
    for (const change of [
      { aud: system.appOrigin },
      { iss: "another" },
      { iss: "another", sub: "another" },
      { exp: now + 3600 },
      { iat: now - 3600, exp: now - 3540 },
      { iat: now + 3600, exp: now + 3660 },
      { custodian: "CN=nobody,OU=http://localhost:1,O=development" },
      { jti: "short" },
      { more: 1 },
    ])
      expect(problem(await app.askToken(await app.assertion(change))), JSON.stringify(change)).toBe(
        "400 invalid-client",
      );
    const another = { kid: encodeBase64url(new Uint8Array(32)) };
    expect(problem(await app.askToken(await app.assertion({}, another)))).toBe("400 invalid-client");
    // Another key for the proof than for the assertion, and another key for both.
    const stranger = await createDpopKey();
    expect(problem(await app.askToken(await app.assertion(), stranger))).toBe("400 invalid-client");
    const forged = Object.assign(Object.create(Object.getPrototypeOf(app)), app, { key: stranger });
    expect(problem(await forged.askToken(await forged.assertion()))).toBe("400 invalid-client");
  });

  it("W9 is refused to an instance that was revoked, and to one below level account", async () => {
    const second = await InstanceClient.ready(ann);
    const { instance } = second.enrolled;
    expect((await ann.rest("DELETE", `/ra/instances/${instance}`)).status).toBe(204);
    expect(problem(await second.askToken(await second.assertion()))).toBe("403 forbidden");
    const bob = await EdgeClient.signedIn(system.tenant("lower"), "Bob");
    const lower = await InstanceClient.enrolled(bob);
    expect(problem(await lower.askToken(await lower.assertion()))).toBe("403 forbidden");
  });

  it("W9 is refused once the custodian has signed out", async () => {
    const carol = await EdgeClient.signedIn(system, "Carol");
    const hers = await InstanceClient.ready(carol);
    expect((await carol.vaultPost("/sign-out", {})).status).toBe(204);
    expect(problem(await hers.askToken(await hers.assertion()))).toBe("403 forbidden");
  });
});
