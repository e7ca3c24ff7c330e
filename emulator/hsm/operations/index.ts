import type { OperationName } from "#protocol/kmip/index.ts";
import { cancel, poll, process, queryAsynchronousRequests } from "./asynchronous.ts";
import { certify, reCertify } from "./certify.ts";
import {
  addAttribute,
  adjustAttribute,
  deleteAttribute,
  modifyAttribute,
  setAttribute,
} from "./change-attributes.ts";
import { check } from "./check.ts";
import { decrypt, encrypt } from "./cipher.ts";
import { create } from "./create.ts";
import { createKeyPair } from "./create-key-pair.ts";
import { archive, interop, log, recover } from "./custody.ts";
import { deriveKey } from "./derive-key.ts";
import { discoverVersions, ping, queryOf } from "./discovery.ts";
import { exportObject, get } from "./get.ts";
import { getAttributeList, getAttributes } from "./get-attributes.ts";
import type { Handler } from "./handler.ts";
import { importObject } from "./import.ts";
import { obtainLease } from "./lease.ts";
import { activate, destroy, revoke } from "./life-cycle.ts";
import { locate } from "./locate.ts";
import { delegatedLogin, login, logout } from "./login.ts";
import { hash, mac, macVerify } from "./mac.ts";
import { pkcs11 } from "./pkcs11.ts";
import { rngRetrieve, rngSeed } from "./random.ts";
import { reKey } from "./re-key.ts";
import { reKeyKeyPair } from "./re-key-key-pair.ts";
import { register } from "./register.ts";
import { notify, put, setEndpointRole } from "./server-to-client.ts";
import { getConstraints, setConstraints, setDefaults } from "./settings.ts";
import { sign, signatureVerify } from "./sign.ts";
import { createSplitKey, joinSplitKey } from "./split-key.ts";
import { getUsageAllocation } from "./usage-allocation.ts";
import { validate } from "./validate.ts";

export type Handlers = { [O in OperationName]?: Handler<O> };

const handlers: Handlers = {
  Create: create,
  CreateKeyPair: createKeyPair,
  Register: register,
  Import: importObject,
  Get: get,
  Export: exportObject,
  GetAttributes: getAttributes,
  GetAttributeList: getAttributeList,
  AddAttribute: addAttribute,
  ModifyAttribute: modifyAttribute,
  SetAttribute: setAttribute,
  AdjustAttribute: adjustAttribute,
  DeleteAttribute: deleteAttribute,
  Locate: locate,
  Activate: activate,
  Revoke: revoke,
  Destroy: destroy,
  Encrypt: encrypt,
  Decrypt: decrypt,
  Sign: sign,
  SignatureVerify: signatureVerify,
  MAC: mac,
  MACVerify: macVerify,
  Hash: hash,
  Archive: archive,
  Recover: recover,
  Check: check,
  Log: log,
  Interop: interop,
  RNGRetrieve: rngRetrieve,
  RNGSeed: rngSeed,
  DiscoverVersions: discoverVersions,
  Ping: ping,
  Poll: poll,
  Process: process,
  QueryAsynchronousRequests: queryAsynchronousRequests,
  Cancel: cancel,
  Certify: certify,
  ReCertify: reCertify,
  Validate: validate,
  ReKey: reKey,
  ReKeyKeyPair: reKeyKeyPair,
  ObtainLease: obtainLease,
  GetUsageAllocation: getUsageAllocation,
  DeriveKey: deriveKey,
  CreateSplitKey: createSplitKey,
  JoinSplitKey: joinSplitKey,
  Login: login,
  DelegatedLogin: delegatedLogin,
  Logout: logout,
  PKCS_11: pkcs11,
  SetConstraints: setConstraints,
  GetConstraints: getConstraints,
  SetDefaults: setDefaults,
  Put: put,
  Notify: notify,
  SetEndpointRole: setEndpointRole,
};

/** Operations by name; what is not here is not supported. */
export const OPERATIONS: Readonly<Handlers> = {
  ...handlers,
  Query: queryOf([...Object.keys(handlers), "Query"]),
};
