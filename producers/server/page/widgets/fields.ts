import { html, nothing, type TemplateResult } from "lit-html";
import { shown } from "../data/format.ts";
import type { RequestField } from "../data/request-fields.ts";

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
    />${suggestionList(list, suggestions)}`;
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

/** What an input of the request's form shows, and whom it tells. */
interface Typed {
  value: string;
  /** What the server says about it. */
  problem: string | undefined;
  suggestions: readonly string[];
  type: (value: string) => void;
}

/** An input for a member of a job's data. */
export function requestInput(field: RequestField, typed: Typed): TemplateResult {
  const { name, label, kind, choices = [] } = field;
  const { value, type } = typed;
  const problem = problemText(name, typed);
  if (kind === "check")
    return html`<label><input
        type="checkbox"
        name=${name}
        .checked=${value !== ""}
        @change=${(event: Event) => type((event.target as HTMLInputElement).checked ? "yes" : "")}
      />${label}</label>${problem}`;
  if (kind === "choice")
    return html`<label>${label}
      <select name=${name} @change=${(event: Event) => type(textIn(event))}>
        <option value="" .selected=${value === ""}>${choices[0]} (default)</option>
        ${choices.slice(1).map((each) => html`<option .selected=${each === value}>${each}</option>`)}
      </select>
      ${problem}
    </label>`;
  return html`<label>${label} ${textInput(field, typed)} ${problem}</label>`;
}

function textInput(
  { name, kind, example, isRequired }: RequestField,
  { value, problem, suggestions, type }: Typed,
): TemplateResult {
  return html`<input
      name=${name}
      list=${suggestions.length > 0 ? `known-${name}` : nothing}
      placeholder=${example ?? ""}
      inputmode=${kind === "number" ? "numeric" : nothing}
      autocomplete="off"
      ?required=${isRequired === true}
      aria-invalid=${problem === undefined ? nothing : "true"}
      aria-describedby=${problem === undefined ? nothing : `problem-${name}`}
      .value=${value}
      @input=${(event: Event) => type(textIn(event))}
    />${suggestionList(`known-${name}`, suggestions)}`;
}

function problemText(name: string, { problem }: Typed): TemplateResult | typeof nothing {
  return problem === undefined
    ? nothing
    : html`<small class="bad path" id="problem-${name}">${shown(problem)}</small>`;
}

function suggestionList(id: string, suggestions: readonly string[]): TemplateResult | typeof nothing {
  return suggestions.length === 0
    ? nothing
    : html`<datalist id=${id}>${suggestions.map((each) => html`<option value=${each}></option>`)}</datalist>`;
}
