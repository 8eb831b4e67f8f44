/** Provides the browser for the tests of the page. */
import { say, which } from "./command.mjs";
import { installPackages } from "./package-manager.mjs";

const names = ["chromium", "chromium-browser", "google-chrome"];

export function findChromium() {
  return names.map(which).find((path) => path !== undefined);
}

/** Installs Chromium if it is missing and no password is needed; otherwise reports the consequence. */
export async function ensureChromium() {
  if (findChromium() !== undefined) return;
  await installPackages("Chromium", { apt: [["chromium"]], dnf: [["chromium"]], apk: [["chromium"]] });
  if (findChromium() === undefined) {
    say("no Chromium: the tests of the page are skipped (Debian: sudo apt-get install chromium)");
  }
}
