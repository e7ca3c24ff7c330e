/** M3 and M5: who may enrol a microservice, and how often. */

import { createHash } from "node:crypto";
import type { Page } from "playwright";
import { beforeAll, expect, it } from "vitest";
import { decodeBase64url } from "#protocol/base64url.ts";
import { IDENTITY, masterKeyName, named } from "#protocol/hierarchy/index.ts";
import { instanceTier, parseCertificate } from "#protocol/pki/index.ts";
import { needle, scanDirectory } from "../memory/index.ts";
import { type System, startSystem } from "../support/start.ts";
import { hsmClient } from "./hsm.ts";
import { changeRows, openEnrolled, readRows, signIn, useSystemAndBrowser, withKit } from "./index.ts";

const running = useSystemAndBrowser();
const { system, browsing } = running;
let ada: Page;
let bob: Page;

beforeAll(async () => {
  [ada, bob] = await Promise.all([openEnrolled(running, "Ada"), openEnrolled(running, "Bob")]);
});

/** What the page's custodian gets when it asks for a grant: the grant, or the code of the refusal. */
const askForGrant = (page: Page) =>
  withKit(
    page,
    async (kit, vault) => {
      const rest = await kit.rest(vault);
      return rest.json<{ grant: string }>("POST", "/ra/grants", { json: {} }).then(
        ({ grant }) => ({ grant, refused: "" }),
        (error: { code?: string }) => ({ grant: "", refused: error.code ?? String(error) }),
      );
    },
    system.vaultOrigin,
  );

/** Passes the grant into a fresh vault frame of the page; the instance, or the code of the refusal. */
const enrolWith = (page: Page, grant: string) =>
  withKit(
    page,
    async (kit, { vault, grant }) => {
      const coffer = await kit.connect({ vault });
      const { port, remove } = await kit.openVault(vault, document.body);
      const microservice = kit.createPortClient(port);
      const { environment } = await microservice.hello(coffer.identity!.custodian.dn);
      const result = await microservice.enrol({ method: "grant", grant }).then(
        (instance) => ({ instance, refused: "" }),
        (error: { code?: string }) => ({ instance: undefined, refused: error.code ?? String(error) }),
      );
      remove();
      return { ...result, environment, dn: coffer.identity!.custodian.dn };
    },
    { vault: system.vaultOrigin, grant },
  );

const instances = () => readRows(system.edgeDir, "instances").length;
const audited = (reason: string) =>
  expect.poll(() => readRows(system.edgeDir, "links").some(({ entry }) => String(entry).includes(reason)), {
    timeout: 10_000,
  });

it("M3 a grant enrols the custodian's microservice, which gets certificates; a second use is refused", async () => {
  const { grant } = await askForGrant(ada);
  expect(grant).toMatch(/^[a-z2-7]{32}\.[\w-]{43}$/);
  const enrolled = await enrolWith(ada, grant);
  expect(enrolled.refused).toBe("");
  expect(enrolled.instance).toMatchObject({ custodian: enrolled.dn, method: "grant" });
  const before = instances();
  const again = await enrolWith(ada, grant);
  expect(again.refused).toBe("invalid-grant");
  expect(instances(), "a replay leaves no instance behind").toBe(before);
  await audited("grant unknown or already used").toBe(true);
});

it("M2 in a browser a secret zero enrols the custodian's microservice once, and its certificate says so", async () => {
  const enrolled = await withKit(
    ada,
    async (kit, vault) => {
      const coffer = await kit.connect({ vault });
      const { dn } = coffer.identity!.custodian;
      const rest = await kit.rest(vault);
      const { secretZero } = await rest.json<{ secretZero: string }>("POST", "/ra/secret-zeros", {
        json: { custodian: dn },
      });
      const enrol = async () => {
        const { port, remove } = await kit.openVault(vault, document.body);
        const microservice = kit.createPortClient(port);
        await microservice.hello(dn);
        const result = await microservice.enrol({ method: "secret-zero", secretZero }).then(
          ({ method, wrappingCertificate }) => ({ method, wrappingCertificate }),
          (error: { code?: string }) => ({ refused: error.code ?? String(error) }),
        );
        remove();
        return result;
      };
      return { dn, first: await enrol(), second: await enrol() };
    },
    system.vaultOrigin,
  );
  expect(enrolled.first).toMatchObject({ method: "secret-zero" });
  expect(enrolled.second).toEqual({ refused: "invalid-grant" });
  const { wrappingCertificate = "" } = enrolled.first as { wrappingCertificate?: string };
  const certificate = parseCertificate(decodeBase64url(wrappingCertificate));
  expect(instanceTier(certificate, { use: "wrapping", custodian: enrolled.dn, method: "secret-zero" })).toBe(
    "software",
  );
  await audited("secret zero unknown or already used").toBe(true);
});

it("M4 in a browser the microservice says that it runs in no enclave, and its certificate says by what it enrolled", async () => {
  const { grant } = await askForGrant(ada);
  const { environment, instance, dn, refused } = await enrolWith(ada, grant);
  expect(refused).toBe("");
  expect(environment).toBe("software");
  const certificate = parseCertificate(decodeBase64url(instance!.wrappingCertificate));
  const said = { use: "wrapping", custodian: dn, method: "grant" } as const;
  expect(instanceTier(certificate, said)).toBe("software");
  expect(() => instanceTier(certificate, { ...said, method: "attestation" })).toThrow("another method");
});

it("M3 another user's grant is refused, and spent", async () => {
  const { grant } = await askForGrant(ada);
  const before = instances();
  expect((await enrolWith(bob, grant)).refused).toBe("foreign-custodian");
  expect((await enrolWith(ada, grant)).refused).toBe("invalid-grant");
  expect(instances()).toBe(before);
});

it("M3 an expired grant is refused", async () => {
  const { grant } = await askForGrant(ada);
  // Time passes while everything stands still.
  await system.restart(() => {
    expect(
      changeRows(system.edgeDir, "grants", "UPDATE grants SET expires = 1 WHERE used IS NULL"),
    ).toBeGreaterThan(0);
  });
  const before = instances();
  expect((await enrolWith(ada, grant)).refused).toBe("invalid-grant");
  expect(instances()).toBe(before);
  const fresh = await askForGrant(ada);
  expect((await enrolWith(ada, fresh.grant)).refused).toBe("");
});

it("M3 the edge keeps the hash of a grant and not the grant", async () => {
  const { grant } = await askForGrant(ada);
  const secret = Buffer.from(grant.slice(grant.indexOf(".") + 1), "base64url");
  const hash = createHash("sha256").update(grant).digest();
  const { findings } = scanDirectory(system.edgeDir, [needle("grant", secret), needle("its hash", hash)]);
  expect(new Set(findings.map(({ name }) => name))).toEqual(new Set(["its hash"]));
});

it("M5 a custodian whose certificate is not registered any more gets no grant", async () => {
  expect((await askForGrant(bob)).refused, "with it he does").toBe("");
  await system.restart(() => {
    const bobs = "(SELECT id FROM principal WHERE name = 'Bob')";
    expect(changeRows(system.edgeDir, "custodians", `DELETE FROM custodians WHERE user IN ${bobs}`)).toBe(1);
  });
  expect((await askForGrant(bob)).refused).toBe("forbidden");
  await audited("custodian is not registered").toBe(true);
  expect((await askForGrant(ada)).refused, "another custodian still does").toBe("");
});

it("M5 a custodian whose certificate has expired gets no grant", async () => {
  await system.restart(() => {
    const adas = "(SELECT id FROM principal WHERE name = 'Ada')";
    changeRows(system.edgeDir, "custodians", `UPDATE custodians SET not_after = 1 WHERE user IN ${adas}`);
  });
  expect((await askForGrant(ada)).refused).toBe("forbidden");
});

it("M5 the custodian of a tenant without a master key gets no grant", async () => {
  const other = await startSystem({ otherTenants: ["keyless"] });
  try {
    await destroyMasterKey(other, "keyless");
    const { page } = await browsing.open();
    const keyless = other.tenant("keyless");
    await signIn(page, keyless, "Kim");
    const refused = await withKit(
      page,
      async (kit, vault) => {
        const rest = await kit.rest(vault);
        return kit.refusal(rest.json("POST", "/ra/grants", { json: {} }));
      },
      keyless.vaultOrigin,
    );
    expect(refused).toBe("forbidden");
    expect(readRows(other.edgeDir, "grants")).toEqual([]);
    await page.close();
  } finally {
    await other.close();
  }
});

/** As the HSM's officer may. */
async function destroyMasterKey(system: System, tenant: string): Promise<void> {
  const officer = await hsmClient(system, IDENTITY.officer);
  try {
    const attributes = { name: named(masterKeyName(tenant)) };
    const { uniqueIdentifier: found } = await officer.request("Locate", { attributes });
    const uniqueIdentifier = found[0]!;
    await officer.request("Revoke", {
      uniqueIdentifier,
      revocationReason: { revocationReasonCode: "CessationOfOperation" },
    });
    await officer.request("Destroy", { uniqueIdentifier });
  } finally {
    officer.close();
  }
}
