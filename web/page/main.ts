/**
 * web/page: the document page, built from the kit's API as any app would build one. Custom elements, no framework.
 * It may import web/browser and nothing else of this repository; nothing imports it.
 */

import { type Discovery, discover, remembered } from "#web/browser/discovery.ts";
import { CofferError, connect } from "#web/browser/index.ts";
import { registered } from "#web/browser/registration.ts";
import { CofferActivity } from "./activity.ts";
import { CofferAdministration } from "./administration.ts";
import { CofferApp } from "./app.ts";
import { CofferChain } from "./chain.ts";
import { choice, keepChoice } from "./choices.ts";
import { CofferConfirm } from "./confirm.ts";
import { CofferDeleted } from "./deleted.ts";
import { CofferDocument } from "./document-row.ts";
import { CofferFlow } from "./flow.ts";
import { CofferHelp } from "./help.ts";
import { CofferKeys } from "./keys.ts";
import { CofferLadder } from "./ladder.ts";
import { CofferMember } from "./member-row.ts";
import { CofferMembers } from "./members.ts";
import { CofferNotice } from "./notice.ts";
import { element } from "./part.ts";
import { CofferQueued } from "./queued-row.ts";
import { CofferRename } from "./rename.ts";
import { sweepDownloads } from "./save.ts";
import { CofferSharing } from "./sharing.ts";
import { CofferTransfer } from "./transfer-row.ts";
import { CofferVaults } from "./vaults.ts";
import { CofferVersions } from "./versions.ts";
import { CofferViewer } from "./viewer.ts";
import { CofferWaiting } from "./waiting-row.ts";
import { speak } from "./words.ts";

// Before an element takes its words from the page.
await speak();

customElements.define("coffer-chain", CofferChain);
customElements.define("coffer-document", CofferDocument);
customElements.define("coffer-transfer", CofferTransfer);
customElements.define("coffer-waiting", CofferWaiting);
customElements.define("coffer-queued", CofferQueued);
customElements.define("coffer-rename", CofferRename);
customElements.define("coffer-help", CofferHelp);
customElements.define("coffer-notice", CofferNotice);
customElements.define("coffer-viewer", CofferViewer);
customElements.define("coffer-confirm", CofferConfirm);
customElements.define("coffer-keys", CofferKeys);
customElements.define("coffer-member", CofferMember);
customElements.define("coffer-members", CofferMembers);
customElements.define("coffer-sharing", CofferSharing);
customElements.define("coffer-activity", CofferActivity);
customElements.define("coffer-deleted", CofferDeleted);
customElements.define("coffer-versions", CofferVersions);
customElements.define("coffer-vaults", CofferVaults);
customElements.define("coffer-flow", CofferFlow);
customElements.define("coffer-ladder", CofferLadder);
customElements.define("coffer-administration", CofferAdministration);
customElements.define("coffer-app", CofferApp);

const VAULT = "coffer-vault";
/** How long the server has to say which vault it is, where that is known from before, milliseconds. */
const PATIENCE = 3_000;

const app = element<CofferApp>(document, "coffer-app");

async function start(): Promise<void> {
  try {
    const { vault, development } = await discovered();
    if (development) app.dataset.environment = "development";
    app.start(await connect({ vault, container: app.vaultContainer }));
  } catch (error) {
    app.notify(error, () => void start());
  }
}

/** Without a network the vault is the one that it was: what is kept in this browser opens, and what is sealed waits. */
async function discovered(): Promise<Discovery> {
  const before = remembered(choice(VAULT) ?? "");
  try {
    const found = await discover(before && PATIENCE);
    keepChoice(VAULT, JSON.stringify(found));
    return found;
  } catch (error) {
    if (!(error instanceof CofferError && error.code === "offline") || !before) throw error;
    return before;
  }
}

// The page's own files are kept once it runs. Where a browser has no Service Worker, in a private window, the page is not there without a network.
void start().then(() => registered().catch(() => {}));
void sweepDownloads();
