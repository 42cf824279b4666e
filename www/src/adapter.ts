import type { GpuReport } from "kvscope";
import { bytes, count } from "./format.ts";

const NOT_TOLD = "not told by the browser";

/** What stands in each `data-fact` of index.html. */
const FACTS: Record<string, (report: GpuReport) => string> = {
  name: (report) => report.name || NOT_TOLD,
  backend: (report) => report.backend,
  deviceType: (report) => report.deviceType,
  driver: (report) => report.driver || NOT_TOLD,
  subgroupSize: ({ subgroupSize: [least, most] }) => {
    const known = least === most ? count(least) : `${least} to ${most}`;
    return most === 0 ? NOT_TOLD : known;
  },
  maxBufferSize: ({ limits }) => bytes(limits.maxBufferSize),
  maxStorageBufferBindingSize: ({ limits }) => bytes(limits.maxStorageBufferBindingSize),
  maxStorageBuffersPerShaderStage: ({ limits }) => count(limits.maxStorageBuffersPerShaderStage),
  maxComputeInvocationsPerWorkgroup: ({ limits }) => count(limits.maxComputeInvocationsPerWorkgroup),
  maxComputeWorkgroupStorageSize: ({ limits }) => bytes(limits.maxComputeWorkgroupStorageSize),
};

/** Fills the adapter's card; without a report every value is a dash. */
export function showAdapter(report?: GpuReport): void {
  for (const value of document.querySelectorAll<HTMLElement>("[data-fact]")) {
    const fact = FACTS[value.dataset["fact"] ?? ""];
    value.textContent = report === undefined || fact === undefined ? "–" : fact(report);
  }
  for (const item of document.querySelectorAll<HTMLElement>("[data-feature]")) {
    const present = report?.features.some((feature) => feature === item.dataset["feature"]);
    item.dataset["present"] = String(present ?? false);
    const answer = item.querySelector("span");
    if (answer !== null) {
      answer.textContent = present === undefined ? "–" : present ? "yes" : "no";
    }
  }
}
