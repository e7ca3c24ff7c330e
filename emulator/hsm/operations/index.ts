/**
 * The operations of KMIP that this server has, one descriptor each. May import: store, crypto, policy, identity, kmip-node/.
 * May be imported by: server.
 */
import type { OperationName } from "#protocol/kmip/index.ts";
import { Cancel, Poll, Process, QueryAsynchronousRequests } from "./asynchronous.ts";
import { Certify, ReCertify } from "./certify.ts";
import {
  AddAttribute,
  AdjustAttribute,
  DeleteAttribute,
  ModifyAttribute,
  SetAttribute,
} from "./change-attributes.ts";
import { GetConstraints, SetConstraints, SetDefaults } from "./change-settings.ts";
import { Check } from "./check.ts";
import { Decrypt, Encrypt } from "./cipher.ts";
import { Create } from "./create.ts";
import { CreateKeyPair } from "./create-key-pair.ts";
import { Archive, Interop, Log, Recover } from "./custody.ts";
import { DeriveKey } from "./derive-key.ts";
import { DiscoverVersions, Ping, Query } from "./discovery.ts";
import { Export, Get } from "./get.ts";
import { GetAttributeList, GetAttributes } from "./get-attributes.ts";
import { Import } from "./import.ts";
import { ObtainLease } from "./lease.ts";
import { Activate, Destroy, Revoke } from "./life-cycle.ts";
import { Locate } from "./locate.ts";
import { DelegatedLogin, Login, Logout } from "./login.ts";
import { Hash, MAC, MACVerify } from "./mac.ts";
import type { Operation } from "./operation.ts";
import { PKCS_11 } from "./pkcs11.ts";
import { RNGRetrieve, RNGSeed } from "./random.ts";
import { ReKey } from "./re-key.ts";
import { ReKeyKeyPair } from "./re-key-key-pair.ts";
import { Register } from "./register.ts";
import { Notify, Put, SetEndpointRole } from "./server-to-client.ts";
import { Sign, SignatureVerify } from "./sign.ts";
import { CreateSplitKey, JoinSplitKey } from "./split-key.ts";
import { GetUsageAllocation } from "./usage-allocation.ts";
import { Validate } from "./validate.ts";

/** Operations by name; what is not here is not supported. */
export const OPERATIONS: Readonly<{ [O in OperationName]?: Operation<O> }> = {
  Create,
  CreateKeyPair,
  Register,
  Import,
  Get,
  Export,
  GetAttributes,
  GetAttributeList,
  AddAttribute,
  ModifyAttribute,
  SetAttribute,
  AdjustAttribute,
  DeleteAttribute,
  Locate,
  Activate,
  Revoke,
  Destroy,
  Encrypt,
  Decrypt,
  Sign,
  SignatureVerify,
  MAC,
  MACVerify,
  Hash,
  Archive,
  Recover,
  Check,
  Log,
  Interop,
  RNGRetrieve,
  RNGSeed,
  DiscoverVersions,
  Ping,
  Poll,
  Process,
  QueryAsynchronousRequests,
  Cancel,
  Certify,
  ReCertify,
  Validate,
  ReKey,
  ReKeyKeyPair,
  ObtainLease,
  GetUsageAllocation,
  DeriveKey,
  CreateSplitKey,
  JoinSplitKey,
  Login,
  DelegatedLogin,
  Logout,
  PKCS_11,
  SetConstraints,
  GetConstraints,
  SetDefaults,
  Put,
  Notify,
  SetEndpointRole,
  Query,
};
