import { currentAddress, writeFragment } from "./ui/address.ts";
import { plan, runInTurn } from "./views/prompt/policy-runs.ts";
import { codeFor } from "./views/prompt/code-panel.ts";
import { wireCopy } from "./ui/copy-button.ts";
import { element } from "./ui/dom.ts";
import {
  LoadedModel,
  deleteModel,
  isAborted,
  isDeviceLost,
  requireWebGpu,
  storedModels,
  type ModelSource,
} from "./engine.ts";
import { count, percent, rate } from "./ui/format.ts";
import { fromEvaluationFragment } from "./settings/evaluation-setting.ts";
import * as panel from "./model/model-panel.ts";
import { readModelSource } from "./model/model-source.ts";
import { findOfferedModels, type OfferedModel } from "./model/offered-models.ts";
import { keepForOffline } from "./ui/offline.ts";
import { paceOf, type Pace } from "./views/prompt/pace.ts";
import { describeError, describeLoss } from "./ui/problem.ts";
import { hideProblem, showProblem } from "./ui/problem-card.ts";
import { programSetting, withProgram } from "./settings/program-setting.ts";
import { ProgramPrompts } from "./views/prompt/program-prompts.ts";
import { showPlan, wireShorten } from "./views/prompt/run-plan.ts";
import type { Run } from "./views/prompt/run.ts";
import { DEFAULT_SETTING, QUICK_SETTING, type Setting } from "./settings/setting.ts";
import { SettingForm } from "./settings/setting-form.ts";
import { fromFragment, toFragment } from "./settings/setting-link.ts";
import { Results } from "./views/prompt/results.ts";
import { Views } from "./views/views.ts";
import "uplot/dist/uPlot.min.css";
import "./ui/style.css";
import "./ui/controls.css";
import "./model/model.css";
import "./views/prompt/results.css";
import "./views/evaluation.css";

/** What the page is doing, as `html[data-state]` says for its style and its tests. */
type State = "opening" | "empty" | "loading" | "ready" | "generating" | "failed" | "lost";

const generate = element("generate", HTMLButtonElement);
const stop = element("stop", HTMLButtonElement);
const runStatus = element("run-status", HTMLElement);
const code = element("code", HTMLElement);

const results = new Results();
const programs = new ProgramPrompts((lines) => void showProgram(lines));
const form = new SettingForm(fromFragment(location.hash), onSetting, (lines) => void showProgram(lines));

let defaultModel: OfferedModel | undefined;
let model: LoadedModel | undefined;
let source: ModelSource | undefined;
let loading: AbortController | undefined;
let generating: AbortController | undefined;
let runs: readonly Run[] = [];
/** Of the loaded model, once it has run. */
let pace: Pace | undefined;
/** The setting that this page itself made, to fit the model, as an address has it. */
let fitted = "";

const views = new Views(
  {
    modelName: () => element("model-name", HTMLElement).textContent ?? "",
    model: () => model,
    occupy,
    stop: () => generating?.abort(),
  },
  fromEvaluationFragment(location.hash),
  () => form.setting,
  writeLink,
);

async function start(): Promise<void> {
  onSetting(form.setting);
  try {
    requireWebGpu();
  } catch (error) {
    setState("failed", "There is no GPU to run a model on.");
    showProblem(describeError(error));
    return;
  }
  const offered = await findOfferedModels();
  [defaultModel] = offered;
  panel.showOffered(offered);
  void listStored();
  const wanted = readModelSource(form.setting.model, document.baseURI);
  if (wanted !== undefined && form.setting.model !== "") {
    // A link's author chose this address, not its reader: the reader's click asks for it.
    panel.showSource(form.setting.model);
    panel.askForModel();
    setState("empty", "This link names a model. Load fetches it from there.");
  } else {
    await loadDefault();
  }
}

async function loadDefault(): Promise<void> {
  if (defaultModel === undefined) {
    panel.askForModel();
    setState("empty", "Choose a model to begin.");
  } else {
    await loadOffered(defaultModel);
  }
}

/** The page's own models need no address in a link, if they are its default. */
async function loadOffered(offered: OfferedModel): Promise<void> {
  await load(offered.url, offered === defaultModel ? "" : offered.url, offered.name);
}

async function load(from: ModelSource, written: string, name = nameOf(from)): Promise<void> {
  generating?.abort();
  loading?.abort();
  const controller = new AbortController();
  loading = controller;
  hideProblem();
  panel.showNote("");
  const before = model;
  model = undefined;
  pace = undefined;
  before?.dispose();
  source = from;
  panel.showName(name);
  onSetting({ ...form.setting, model: written });
  setState("loading", "Loading…");
  try {
    const loaded = await LoadedModel.load(from, {
      signal: controller.signal,
      onProgress: (progress) => {
        if (loading === controller) {
          panel.showProgress(progress);
        }
      },
      onWarning: (warning) => panel.showNote(`The model is not kept for next time: ${warning.message}`),
    });
    if (loading !== controller) {
      loaded.dispose();
      return;
    }
    model = loaded;
    void loaded.lost.then((loss) => {
      if (model === loaded) {
        model = undefined;
        generating?.abort();
        setState("lost", "The GPU is gone.");
        showProblem(describeLoss(loss), () => void load(from, written, name));
      }
    });
    await fitToModel(loaded);
    if (loading !== controller || model !== loaded) {
      return;
    }
    setState("ready", `Ready: ${loaded.summary}`);
  } catch (error) {
    if (loading === controller) {
      onLoadFailed(error, () => void load(from, written, name));
    }
  } finally {
    if (loading === controller) {
      loading = undefined;
      panel.showProgress(undefined);
      panel.showDone(model?.origin);
    }
    void listStored();
  }
}

/** Whether the loaded model runs on no real GPU. */
const isSlow = (): boolean => model?.slow ?? false;

/** A setting that nobody has touched is made one that suits the model, and that this device is done with soon. */
async function fitToModel(loaded: LoadedModel): Promise<void> {
  const { readsPrograms } = loaded;
  const untouched = ["", fitted].includes(fragmentOf(form.setting));
  programs.offer(readsPrograms);
  if (readsPrograms) {
    await (untouched ? programs.next(loaded, 16) : programs.recognise(loaded, form.setting.prompt));
  }
  if (model !== loaded) {
    return;
  }
  views.fitToDevice(loaded.slow);
  form.offerPrograms(readsPrograms ? (prompt) => programs.matching(prompt)?.lines : undefined);
  if (!untouched) {
    onSetting(form.setting);
    return;
  }
  const base = { ...DEFAULT_SETTING, model: form.setting.model };
  const program = programs.current;
  const setting = program !== undefined ? programSetting(base, program) : isSlow() ? { ...base, ...QUICK_SETTING } : base;
  fitted = fragmentOf(setting);
  onSetting(setting);
}

/** A setting as an address has it, whatever the model. */
const fragmentOf = (setting: Setting): string => toFragment({ ...setting, model: "" });

/** Makes another program of so many lines the prompt. */
async function showProgram(lines: number): Promise<void> {
  if (model !== undefined) {
    const program = await programs.next(model, lines);
    onSetting(withProgram(form.setting, program));
  }
}

function onLoadFailed(error: unknown, retry: () => void): void {
  if (isAborted(error)) {
    panel.askForModel();
    setState("empty", "Cancelled. What was fetched is kept.");
  } else {
    setState("failed", "The model was not loaded.");
    showProblem(describeError(error), retry);
  }
}

async function run(): Promise<void> {
  if (model === undefined || !form.report()) {
    return;
  }
  hideProblem();
  const controller = new AbortController();
  generating = controller;
  const { setting } = form;
  prepareRuns();
  setState("generating");
  stop.focus();
  try {
    await runInTurn(model, setting, runs, programs.matching(setting.prompt), controller.signal, () => {
      sayRun();
      results.update();
    });
  } catch (error) {
    if (!isDeviceLost(error)) {
      showProblem(describeError(error), () => void run());
    }
  } finally {
    generating = undefined;
    pace = paceOf(runs, setting.prompt) ?? pace;
    showPlan(form.setting, isSlow(), pace);
    results.update();
    if (model !== undefined) {
      setState("ready");
    }
    sayRun();
    if (document.activeElement === stop || document.activeElement === document.body) {
      generate.focus({ preventScroll: true });
    }
  }
  const failed = runs.find(({ problem }) => problem !== undefined);
  if (failed?.problem !== undefined && model !== undefined) {
    showProblem(failed.problem, () => void run());
  }
}

/** Has `work` done for another view than that of one prompt. */
async function occupy(work: (model: LoadedModel, signal: AbortSignal) => Promise<void>): Promise<void> {
  if (model === undefined || generating !== undefined) {
    return;
  }
  hideProblem();
  const controller = new AbortController();
  generating = controller;
  setState("generating");
  try {
    await work(model, controller.signal);
  } catch (error) {
    // Of a lost device, and of a model that another took the place of, the page tells by itself.
    if (!isDeviceLost(error) && !controller.signal.aborted) {
      showProblem(describeError(error));
    }
  } finally {
    generating = undefined;
    if (model !== undefined) {
      setState("ready");
    }
  }
}

/** Empty columns, chart and picture for the runs that the setting asks for. */
function prepareRuns(): void {
  runs = plan(form.setting);
  const name = element("model-name", HTMLElement).textContent ?? "";
  results.show(runs, form.setting, { model: name, device: model?.device });
}

function onSetting(setting: Setting): void {
  if (setting !== form.setting) {
    form.show(setting);
  }
  writeLink();
  code.textContent = codeFor(setting, source, true);
  showPlan(setting, isSlow(), pace);
  const untouched = runs.every(({ state }) => state === "waiting");
  if (generating === undefined && untouched) {
    prepareRuns();
  }
}

/** Puts all that is set into the page's address. */
function writeLink(): void {
  writeFragment([toFragment(form.setting), views.fragment].filter((part) => part !== "").join("&"));
}

/** Tells how the runs stand: a line that changes with each phase, not with each token. */
function sayRun(): void {
  const index = runs.findIndex(({ running }) => running);
  const current = runs[index];
  const text =
    current === undefined
      ? summaryOfRuns()
      : `Run ${index + 1} of ${runs.length}, ${current.policy.name}: ${current.state === "prefill" ? "reading the prompt" : "writing"}.`;
  if (runStatus.textContent !== text) {
    runStatus.textContent = text;
  }
}

function summaryOfRuns(): string {
  const [first] = runs;
  if (first === undefined || first.pieces.length === 0) {
    return model === undefined ? "Runs once the model is there." : "Ready to run.";
  }
  const speed = first.usage?.decodeTokensPerSecond ?? first.tokensPerSecond;
  const figure = first.saved === undefined ? "" : `, ${percent(first.saved)} of the cache saved`;
  const ended = first.state === "done" ? "Done" : first.state === "failed" ? "Failed" : "Stopped";
  return `${ended}: ${count(first.pieces.length)} tokens at ${rate(speed)} a second${figure}.`;
}

function setState(state: State, line?: string): void {
  document.documentElement.dataset["state"] = state;
  generate.disabled = state !== "ready";
  stop.disabled = state !== "generating";
  views.follow(state === "ready");
  if (line !== undefined) {
    panel.showStatus(line);
    sayRun();
  }
}

async function listStored(): Promise<void> {
  panel.showStored(await storedModels());
}

function nameOf(from: ModelSource): string {
  if (typeof from === "string") {
    return decodeURIComponent(from.slice(from.lastIndexOf("/") + 1));
  }
  return "repo" in from ? from.file : (from[0]?.name ?? "");
}

panel.wireModelPanel({
  load: (from, written) => void load(from, written),
  loadOffered: (offered) => void loadOffered(offered),
  cancel: () => loading?.abort(),
  remove: (stored) =>
    void deleteModel(stored)
      .catch((error: unknown) => showProblem(describeError(error)))
      .then(listStored),
});
wireShorten(() => {
  onSetting({ ...form.setting, ...QUICK_SETTING });
  generate.focus();
});
// Followed, the link would take the place of the setting in the page's address.
element("skip-link", HTMLAnchorElement).addEventListener("click", (event) => {
  event.preventDefault();
  if (views.view === "prompt") {
    element("prompt", HTMLTextAreaElement).focus();
  } else {
    views.focus();
  }
});
generate.addEventListener("click", () => void run());
stop.addEventListener("click", () => generating?.abort());
element("prompt", HTMLTextAreaElement).addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !generate.disabled) {
    void run();
  }
});
wireCopy("copy-code", () => codeFor(form.setting, source));
for (const id of ["copy-link", "compare-link", "tight-link", "drift-link"]) {
  wireCopy(id, currentAddress);
}
addEventListener("hashchange", () => {
  views.show(fromEvaluationFragment(location.hash));
  onSetting(fromFragment(location.hash));
});

keepForOffline();
void start();
