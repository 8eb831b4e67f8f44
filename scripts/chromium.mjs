/** The browser for the tests of the overview page. */
import { say, which } from "./command.mjs";
import { installPackages } from "./package-manager.mjs";

const names = ["chromium", "chromium-browser", "google-chrome"];

export function findChromium() {
  return names.map(which).find((path) => path !== undefined);
}

/** Installs Chromium where it is missing and that is possible without a password; tells what becomes of it where it is not. */
export async function ensureChromium() {
  if (findChromium() !== undefined) return;
  await installPackages("Chromium", { apt: [["chromium"]], dnf: [["chromium"]], apk: [["chromium"]] });
  if (findChromium() === undefined) {
    say("no Chromium: the tests of the overview page are skipped (Debian: sudo apt-get install chromium)");
  }
}
