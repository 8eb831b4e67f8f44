import { shellWord } from "../../../../shared/shell-word.ts";

/** Bash reads this form, in which control characters are visible. */
function visibleWord(text: string): string {
  const escaped = text
    .replaceAll(/[\\']/g, "\\$&")
    .replaceAll(
      /[\p{Cc}\p{Cf}]/gu,
      (character) => `\\U${character.codePointAt(0)?.toString(16).padStart(8, "0")}`,
    );
  return `$'${escaped}'`;
}

/** Returns a command line to copy into a shell. */
export function shellCommand(...words: readonly string[]): string {
  return words.map((word) => (/[\p{Cc}\p{Cf}]/u.test(word) ? visibleWord(word) : shellWord(word))).join(" ");
}
