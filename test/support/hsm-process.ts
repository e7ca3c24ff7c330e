/** The HSM as a process of its own: run by `spawnHsm` of hsm-child.ts, which says by argument what `startHsm` is to be told. */

import { startHsm } from "#emulator/hsm/index.ts";

const hsm = await startHsm(JSON.parse(process.argv[2]!));
process.send?.({ ttlvPort: hsm.ttlvPort, httpsPort: hsm.httpsPort });
