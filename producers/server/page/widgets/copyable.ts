import { html, type TemplateResult } from "lit-html";
import { shown } from "../data/format.ts";

/** Text in one line, with a button that copies it. */
export function copyable(text: string, label: string): TemplateResult {
  const copy = async (event: Event) => {
    const button = event.currentTarget as HTMLButtonElement;
    // Without HTTPS a browser offers no clipboard: then the text is selected.
    await navigator.clipboard?.writeText(text).catch(() => {});
    const code = button.parentElement?.querySelector("code");
    if (code != null) getSelection()?.selectAllChildren(code);
  };
  return html`<p class="copyable">
    <code class="path">${shown(text)}</code>
    <button type="button" class="outline" aria-label=${label} @click=${copy}>Copy</button>
  </p>`;
}
