import { expect, it } from "vitest";
import { ATTRIBUTES } from "./attribute-table.ts";
import { checkAnswer, decodeResponse, encodeResponse, type ResponseItem, VERSIONS } from "./index.ts";
import { BROUGHT_BY, GONE_IN_2_0 } from "./tables/attribute-versions.ts";

it("each attribute has the version that brought it", () => {
  expect(BROUGHT_BY.flat().toSorted()).toEqual(Object.keys(ATTRIBUTES).toSorted());
});

it.each(VERSIONS.map((version, at) => [`${version.major}.${version.minor}`, version, at] as const))(
  "KMIP %s is told no attribute of another version, by value or by name",
  (_, protocolVersion, at) => {
    const payload = {
      uniqueIdentifier: "id",
      attributes: {
        contactInformation: "1.0",
        certificateLength: 1,
        originalCreationDate: new Date(0),
        randomNumberGenerator: { rngAlgorithm: "DRBG" as const },
        comment: "1.4",
        keyFormatType: "Raw" as const,
        operationPolicyName: "gone in 2.0",
      },
    };
    const names = Object.keys(payload.attributes) as (keyof typeof payload.attributes)[];
    const known = names.filter(
      (name) =>
        BROUGHT_BY.slice(0, at + 1).some((brought) => brought.includes(name)) &&
        !(protocolVersion.major === 2 && GONE_IN_2_0.has(name)),
    );
    const list = { uniqueIdentifier: "id", attributeReference: names };
    const items: ResponseItem[] = [
      { operation: "GetAttributes", resultStatus: "Success", payload },
      { operation: "GetAttributeList", resultStatus: "Success", payload: list },
    ];
    const header = { protocolVersion, timeStamp: new Date(0) };
    const [values, told] = decodeResponse(encodeResponse({ header, items })).items as unknown as [
      { payload: typeof payload },
      { payload: typeof list },
    ];
    expect(Object.keys(values.payload.attributes).toSorted()).toEqual(known.toSorted());
    expect(told.payload.attributeReference.toSorted()).toEqual(known.toSorted());
    expect(() => checkAnswer("GetAttributes", payload, protocolVersion)).not.toThrow();
  },
);
