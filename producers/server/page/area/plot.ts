import uPlot from "uplot";

type Options = Omit<uPlot.Options, "width" | "height">;

/** What a plot's options are made of: colours by the name of a CSS variable, and an axis in the colours of the page. */
export interface PlotStyle {
  colour: (name: string) => string;
  axis: uPlot.Axis;
}

/** Pixels; `.chart` in page.css reserves the space. */
const height = 200;

/** Draws one plot into `place`, and again on a change of its width or of the colour scheme. */
export class Plot {
  readonly #place: HTMLElement;
  readonly #data: uPlot.AlignedData;
  readonly #options: (style: PlotStyle) => Options;
  readonly #resized: ResizeObserver;
  readonly #scheme = matchMedia("(prefers-color-scheme: dark)");
  #plot: uPlot | undefined;

  constructor(place: HTMLElement, data: uPlot.AlignedData, options: (style: PlotStyle) => Options) {
    this.#place = place;
    this.#data = data;
    this.#options = options;
    this.#resized = new ResizeObserver(() => this.#draw());
    this.#resized.observe(place);
    this.#scheme.addEventListener("change", this.#draw);
  }

  remove(): void {
    this.#resized.disconnect();
    this.#scheme.removeEventListener("change", this.#draw);
    this.#plot?.destroy();
  }

  readonly #draw = (): void => {
    const width = this.#place.clientWidth;
    this.#plot?.destroy();
    this.#plot = undefined;
    if (width === 0) return;
    const style = getComputedStyle(this.#place);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--pico-color"), grid: { stroke: colour("--pico-table-border-color") } };
    this.#plot = new uPlot({ width, height, ...this.#options({ colour, axis }) }, this.#data, this.#place);
  };
}

/** An axis of amounts begins at 0, because their proportions are of interest. */
export const fromZero: uPlot.Scale = { range: (_plot, _low, high) => [0, Math.max(high * 1.05, 1)] };

/** The text of an axis' ticks. */
export const ticks = (show: (count: number) => string) => (_plot: uPlot, counts: number[]) =>
  counts.map(show);

/** The plots at a place of a page: drawn anew when they show something else. */
export class PlotPlace<T> {
  readonly #make: (places: readonly HTMLElement[], shown: T) => Plot[];
  #key = "";
  #plots: Plot[] = [];

  constructor(make: (places: readonly HTMLElement[], shown: T) => Plot[]) {
    this.#make = make;
  }

  /** Called after each drawing of the page. @param selector finds the elements for the plots */
  show(selector: string, shown: T | undefined): void {
    const places = [...document.querySelectorAll<HTMLElement>(selector)];
    const key = shown === undefined || places.length === 0 ? "" : JSON.stringify(shown);
    if (key === this.#key) return;
    this.remove();
    this.#key = key;
    if (shown !== undefined && places.length > 0) this.#plots = this.#make(places, shown);
  }

  remove(): void {
    for (const plot of this.#plots) plot.remove();
    this.#plots = [];
    this.#key = "";
  }
}
