import { expect, it } from "vitest";
import { signedHeaders } from "./sigv4.ts";

/** `post-vanilla` of AWS's test suite for Signature Version 4. */
const credentials = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
};
const scope = { region: "us-east-1", service: "service" };
const now = Date.UTC(2015, 7, 30, 12, 36, 0);
const request = { host: "example.amazonaws.com", headers: {}, body: new Uint8Array() };

it("M19 signs as AWS's own test suite has it", async () => {
  expect(await signedHeaders(request, credentials, scope, now)).toEqual({
    "x-amz-date": "20150830T123600Z",
    authorization:
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
  });
});

it("signs a session's token, which goes along", async () => {
  const session = { ...credentials, sessionToken: "token of a session" };
  const signed = await signedHeaders(request, session, scope, now);
  expect(signed["x-amz-security-token"]).toBe("token of a session");
  expect(signed.authorization).toContain("SignedHeaders=host;x-amz-date;x-amz-security-token,");
});
