import { KvscopeError, openGpu, type Gpu } from "kvscope";
import { showAdapter } from "./adapter.ts";
import { scientific } from "./format.ts";
import { MatrixView } from "./matrix.ts";
import { describeError, describeLoss, type ProblemText } from "./problem.ts";
import { greatestDifference, randomProblem, rmsNorm } from "./rms-norm.ts";
import "./style.css";
import "./result.css";

const ROWS = 4;
const WIDTH = 8;
const EPSILON = 1e-5;
/** The size of value that is tinted fully. */
const TINT = 2.5;

type State = "opening" | "computing" | "ready" | "failed" | "lost";

const status = element("status", HTMLElement);
const problemCard = element("problem", HTMLElement);
const tryAgain = element("try-again", HTMLButtonElement);
const compute = element("compute", HTMLButtonElement);
const release = element("release", HTMLButtonElement);
const difference = element("difference", HTMLOutputElement);
const matrices = {
  input: new MatrixView(element("matrix-input", HTMLTableElement), ROWS, WIDTH),
  gpu: new MatrixView(element("matrix-gpu", HTMLTableElement), ROWS, WIDTH),
  plain: new MatrixView(element("matrix-plain", HTMLTableElement), ROWS, WIDTH),
};

let gpu: Gpu | undefined;

async function open(): Promise<void> {
  const previous = gpu;
  gpu = undefined;
  previous?.destroy();
  setState("opening", "Opening the GPU…");
  try {
    const opened = await openGpu();
    gpu = opened;
    void opened.lost.then((loss) => {
      if (gpu === opened) {
        showProblem("lost", describeLoss(loss));
      }
    });
    showAdapter(opened.report);
    await computeBoth(opened);
  } catch (error) {
    showProblem("failed", describeError(error));
  }
}

async function computeBoth(opened: Gpu): Promise<void> {
  setState("computing", "Computing…");
  const problem = randomProblem(ROWS, WIDTH);
  const expected = rmsNorm(problem, EPSILON);
  matrices.input.show(problem.input, TINT);
  matrices.plain.show(expected, TINT);
  try {
    const computed = await opened.rmsNorm(problem.input, problem.weight, EPSILON);
    matrices.gpu.show(computed, TINT);
    difference.value = scientific(greatestDifference(computed, expected));
    setState("ready", `The GPU is open. The two results differ by at most ${difference.value}.`);
  } catch (error) {
    const lossIsShown = error instanceof KvscopeError && error.code === "device-lost";
    if (!lossIsShown) {
      showProblem("failed", describeError(error));
    }
  }
}

function showProblem(state: "failed" | "lost", { title, message, advice }: ProblemText): void {
  showAdapter();
  matrices.gpu.clear();
  difference.value = "–";
  element("problem-title", HTMLElement).textContent = title;
  element("problem-message", HTMLElement).textContent = message;
  element("problem-advice", HTMLElement).replaceChildren(
    ...advice.map((line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }),
  );
  setState(state, "The GPU is not open.");
}

function setState(state: State, line: string): void {
  document.documentElement.dataset["state"] = state;
  status.textContent = line;
  problemCard.hidden = state !== "failed" && state !== "lost";
  compute.disabled = state !== "ready";
  release.disabled = state !== "ready";
}

function element<T extends HTMLElement>(id: string, kind: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) {
    throw new TypeError(`index.html has no ${kind.name} with id ${id}`);
  }
  return found;
}

tryAgain.addEventListener("click", () => {
  // The button is about to vanish, and the keyboard's place with it.
  element("adapter-title", HTMLElement).focus();
  void open();
});
compute.addEventListener("click", () => {
  if (gpu !== undefined) {
    void computeBoth(gpu).then(() => compute.focus());
  }
});
release.addEventListener("click", () => {
  gpu?.destroy();
  void gpu?.lost.then(() => tryAgain.focus());
});

void open();
