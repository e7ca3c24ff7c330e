// An app with the vault as one tag, and a form whose files are sealed before it is sent.
const vault = document.querySelector("coffer-vault");
const form = document.querySelector("form");
const output = document.querySelector("output");
if (!vault || !form || !output) throw new Error("not this page");

vault.addEventListener("coffer-ready", ({ detail }) => {
  output.textContent = detail.user ? `Welcome, ${detail.user}.` : "Sign in first.";
});
vault.addEventListener("coffer-sealed", ({ detail }) => {
  output.textContent = `Sealed ${detail.document.metadata?.name}.`;
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const { data, documents } = await vault.sealFormData(new FormData(form));
    await fetch(form.action, { method: "POST", body: data });
    output.textContent = `Sent, with ${documents.length} sealed.`;
    await vault.refresh();
  } catch (error) {
    output.textContent = error instanceof Error ? error.message : "Not sent.";
  }
});
