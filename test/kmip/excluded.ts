import { basename, dirname } from "node:path";

/**
 * Test cases that are wrong themselves: the field that cannot be as the case has it, and the clause that it breaks.
 * By version folder (or file name alone, where the name says the version) of the OASIS publication.
 */
interface Exclusion {
  field: string;
  clause: string;
}

/** The wrapped key of both is that of RFC 3394 §4.1, and of TC-141. */
const WRAPPED_ALONE: Exclusion = {
  field:
    "step 3: the Key Value is the wrapped key alone, without the encoding and the attribute that were asked for",
  clause:
    'KMIP 1.2, "Key Wrapping Specification": without an Encoding Option the Key Value structure is wrapped, in TTLV',
};

const PART_OF_ANOTHER_NAME: Exclusion = {
  field:
    "step 6: Get of the fourth part is answered with the identifier of the first, beside Key Part Identifier 4",
  clause: 'KMIP 1.2, "Get": the answer has the Unique Identifier of the object that was asked for',
};

const EXCLUDED: Readonly<Record<string, Exclusion>> = {
  TC_SJ_2_12_Register_and_Split_Join: PART_OF_ANOTHER_NAME,
  TC_SJ_4_12_Register_and_Split_Join_with_XOR: PART_OF_ANOTHER_NAME,
  TC_142_11_Key_Wrapping_using_AES_Key_Wrap_with_Attributes: WRAPPED_ALONE,
  TC_142_12_Key_Wrapping_using_AES_Key_Wrap_with_Attributes: WRAPPED_ALONE,
  TC_92_10_Existing_Key_Expired_Re_key_with_Same_Life_cycle: {
    field: "step 3: State is Active after the Deactivation Date, in 2010, that step 2 set",
    clause: 'KMIP 1.0, "State": at that date an object becomes Deactivated; step 2 itself answers 2070',
  },
  "TC-SK-CREATE-ENCRYPT-DECRYPT-DESTROY": {
    field: "step 2: Encrypt succeeds with a key that nothing has activated",
    clause: 'KMIP 1.2, "State": a Pre-Active object is not used for any cryptographic purpose',
  },
  "TC-OFFSET-1-13": {
    field: "step 3: with Maximum Items 1, Locate gives the last of what it gave in step 2",
    clause:
      'KMIP 1.3, "Locate": Maximum Items and Offset Items take a part of the list, which the edition of 1.4 has newest first in all its steps',
  },
  "TC-ECC-2-20": {
    field:
      "step 6: the Key Material is decrypted with a passphrase that is in a remark of the case, and in no message",
    clause: 'KMIP 2.0, "Get": without a Key Format Type the key comes in the form in which it was registered',
  },
  "TC-ECC-2-21": {
    field: "step 6: the Key Material is decrypted with a passphrase that is in no message",
    clause: 'KMIP 2.1, "Get": without a Key Format Type the key comes in the form in which it was registered',
  },
  "TC-PKCS12-2-20": {
    field: "step 9: the certificate's serial number without its DER tag and length",
    clause:
      'KMIP 2.0, "X.509 Certificate Identifier": DER, with which step 7 of the case finds that certificate',
  },
  "TC-PKCS12-2-21": {
    field: "step 9: the certificate's serial number without its DER tag and length",
    clause:
      'KMIP 2.1, "X.509 Certificate Identifier": DER, with which step 7 of the case finds that certificate',
  },
};

/** What is wrong with the case in that file; undefined for a case that counts. */
export function excluded(path: string): string | undefined {
  const exclusion =
    EXCLUDED[basename(path, ".xml")] ?? EXCLUDED[`${basename(dirname(path))}/${basename(path, ".xml")}`];
  return exclusion && `${exclusion.field}: ${exclusion.clause}`;
}
