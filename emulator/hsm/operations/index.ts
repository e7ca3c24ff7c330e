/**
 * The operations of KMIP that this server has, one descriptor each. May import: protocol/*.ts, protocol/hierarchy,
 * protocol/kmip, protocol/pki, types of protocol/evidence, emulator/hsm/crypto, emulator/hsm/store, emulator/hsm/policy,
 * emulator/hsm/identity, node:, @peculiar/x509, reflect-metadata. Imported by emulator/hsm/server.
 */
import type { OperationName } from "#protocol/kmip/index.ts";
import * as asynchronous from "./asynchronous.ts";
import * as certify from "./certify.ts";
import * as changeAttributes from "./change-attributes.ts";
import * as changeSettings from "./change-settings.ts";
import * as check from "./check.ts";
import * as cipher from "./cipher.ts";
import * as create from "./create.ts";
import * as createKeyPair from "./create-key-pair.ts";
import * as custody from "./custody.ts";
import * as deriveKey from "./derive-key.ts";
import * as discovery from "./discovery.ts";
import * as get from "./get.ts";
import * as getAttributes from "./get-attributes.ts";
import * as importObject from "./import.ts";
import * as lease from "./lease.ts";
import * as lifeCycle from "./life-cycle.ts";
import * as locate from "./locate.ts";
import * as login from "./login.ts";
import * as mac from "./mac.ts";
import type { Operation } from "./operation.ts";
import * as pkcs11 from "./pkcs11.ts";
import * as random from "./random.ts";
import * as reKey from "./re-key.ts";
import * as reKeyKeyPair from "./re-key-key-pair.ts";
import * as register from "./register.ts";
import * as serverToClient from "./server-to-client.ts";
import * as sign from "./sign.ts";
import * as splitKey from "./split-key.ts";
import * as usageAllocation from "./usage-allocation.ts";
import * as validate from "./validate.ts";

/** These files export operations and nothing else, so that a new one is here by itself. */
const operations = {
  ...create,
  ...createKeyPair,
  ...register,
  ...importObject,
  ...get,
  ...getAttributes,
  ...changeAttributes,
  ...locate,
  ...lifeCycle,
  ...cipher,
  ...sign,
  ...mac,
  ...custody,
  ...check,
  ...random,
  ...discovery,
  ...asynchronous,
  ...certify,
  ...validate,
  ...reKey,
  ...reKeyKeyPair,
  ...lease,
  ...usageAllocation,
  ...deriveKey,
  ...splitKey,
  ...login,
  ...pkcs11,
  ...changeSettings,
  ...serverToClient,
};

/** Re-Provision replaces a client's credential; here that is the operator's to do. */
type Served = Exclude<OperationName, "ReProvision">;
type Whole = { [O in Served]: Operation<O> };
/** What these files export besides is found here. */
type Stray = { [Name in Exclude<keyof typeof operations, Served>]: never };

/** Operations by name; what is not here is not supported. */
export const OPERATIONS: Readonly<{ [O in OperationName]?: Operation<O> }> = operations satisfies Whole &
  Stray;
