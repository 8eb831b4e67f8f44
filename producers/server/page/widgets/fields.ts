import { html, nothing, type TemplateResult } from "lit-html";

export const textIn = (event: Event) => (event.target as HTMLInputElement | HTMLSelectElement).value;

/** A select; a value that the address gives and that is none of the options is shown all the same. */
export function choice(
  label: string,
  value: string,
  options: readonly (readonly [value: string, text: string])[],
  choose: (value: string) => void,
): TemplateResult {
  const isKnown = options.some(([each]) => each === value);
  return html`<select aria-label=${label} @change=${(event: Event) => choose(textIn(event))}>
    ${[...options, ...(isKnown ? [] : [[value, value] as const])].map(
      ([each, text]) => html`<option value=${each} .selected=${each === value}>${text}</option>`,
    )}
  </select>`;
}

/** A filter by text, with suggestions. */
export function textFilter(
  label: string,
  value: string,
  type: (value: string) => void,
  suggestions: readonly string[] = [],
): TemplateResult {
  const list = `suggestions-${label.toLowerCase().replaceAll(/[^a-z]+/g, "-")}`;
  return html`<input
      type="search"
      aria-label=${label}
      placeholder=${label}
      list=${suggestions.length > 0 ? list : nothing}
      .value=${value}
      @input=${(event: Event) => type(textIn(event))}
    />${
      suggestions.length > 0
        ? html`<datalist id=${list}>${suggestions.map((each) => html`<option value=${each}></option>`)}</datalist>`
        : nothing
    }`;
}

/** A filter with its name above it and an example within. */
export function patternFilter(
  label: string,
  example: string,
  value: string,
  type: (value: string) => void,
): TemplateResult {
  return html`<label>${label}<input
      type="search"
      placeholder=${example}
      autocomplete="off"
      .value=${value}
      @input=${(event: Event) => type(textIn(event))}
    /></label>`;
}
