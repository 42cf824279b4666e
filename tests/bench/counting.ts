import type { Page } from "@playwright/test";

/** Requests made of WebGPU since the page was opened. */
export interface Counts {
  dispatches: number;
  submissions: number;
  bytesUploaded: number;
  bytesReadBack: number;
  buffers: number;
  bindGroups: number;
  shaderModules: number;
  pipelines: number;
}

/** The dispatches of a kernel, and the bytes of the buffers that were bound to it, each time. */
export interface Kernel {
  dispatches: number;
  bytes: number;
}

export interface Counting {
  readonly counts: Counts;
  /** By the pipeline's label. */
  kernels: Record<string, Kernel>;
  /** Bytes of the buffers that exist. */
  liveBytes: number;
  /** The most that existed at once. */
  peakBytes: number;
}

declare global {
  var counting: Counting;
}

/**
 * Counts at WebGPU's own objects, whoever uses them. Reading a mapped buffer counts when it is
 * mapped.
 */
export async function countWebGpu(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const counts: Counts = {
      dispatches: 0,
      submissions: 0,
      bytesUploaded: 0,
      bytesReadBack: 0,
      buffers: 0,
      bindGroups: 0,
      shaderModules: 0,
      pipelines: 0,
    };
    globalThis.counting = { counts, kernels: {}, liveBytes: 0, peakBytes: 0 };
    const alive = new WeakSet<GPUBuffer>();
    const boundBytes = new WeakMap<GPUBindGroup, number>();
    const encoding = new WeakMap<
      GPUComputePassEncoder,
      { label: string; groups: Map<number, GPUBindGroup> }
    >();

    const {
      createBuffer,
      createBindGroup,
      createShaderModule,
      createComputePipeline,
      createComputePipelineAsync,
    } = GPUDevice.prototype;
    GPUDevice.prototype.createBuffer = function counted(descriptor) {
      const buffer = createBuffer.call(this, descriptor);
      counts.buffers += 1;
      alive.add(buffer);
      counting.liveBytes += buffer.size;
      counting.peakBytes = Math.max(counting.peakBytes, counting.liveBytes);
      if (descriptor.mappedAtCreation === true) {
        counts.bytesUploaded += buffer.size;
      }
      return buffer;
    };
    GPUDevice.prototype.createBindGroup = function counted(descriptor) {
      const group = createBindGroup.call(this, descriptor);
      counts.bindGroups += 1;
      const bytes = [...descriptor.entries].map(({ resource }) => {
        if (resource instanceof GPUBuffer) {
          return resource.size;
        }
        return "buffer" in resource
          ? (resource.size ?? resource.buffer.size - (resource.offset ?? 0))
          : 0;
      });
      boundBytes.set(
        group,
        bytes.reduce((sum, one) => sum + one, 0),
      );
      return group;
    };
    GPUDevice.prototype.createShaderModule = function counted(descriptor) {
      counts.shaderModules += 1;
      return createShaderModule.call(this, descriptor);
    };
    GPUDevice.prototype.createComputePipeline = function counted(descriptor) {
      counts.pipelines += 1;
      return createComputePipeline.call(this, descriptor);
    };
    GPUDevice.prototype.createComputePipelineAsync = function counted(descriptor) {
      counts.pipelines += 1;
      return createComputePipelineAsync.call(this, descriptor);
    };

    const { submit, writeBuffer } = GPUQueue.prototype;
    GPUQueue.prototype.submit = function counted(buffers) {
      counts.submissions += 1;
      return submit.call(this, buffers);
    };
    GPUQueue.prototype.writeBuffer = function counted(buffer, offset, data, dataOffset, size) {
      // Of a typed array, offset and size count elements.
      const unit = "BYTES_PER_ELEMENT" in data ? Number(data.BYTES_PER_ELEMENT) : 1;
      counts.bytesUploaded +=
        size === undefined ? data.byteLength - (dataOffset ?? 0) * unit : size * unit;
      return writeBuffer.call(this, buffer, offset, data, dataOffset, size);
    };

    const READ = 1; // GPUMapMode.READ, which the types do not have
    const { mapAsync, destroy } = GPUBuffer.prototype;
    GPUBuffer.prototype.mapAsync = function counted(mode, offset, size) {
      const bytes = size ?? this.size - (offset ?? 0);
      counts[mode === READ ? "bytesReadBack" : "bytesUploaded"] += bytes;
      return mapAsync.call(this, mode, offset, size);
    };
    GPUBuffer.prototype.destroy = function counted() {
      if (alive.delete(this)) {
        counting.liveBytes -= this.size;
      }
      return destroy.call(this);
    };

    const { setPipeline, setBindGroup, dispatchWorkgroups, dispatchWorkgroupsIndirect } =
      GPUComputePassEncoder.prototype;
    const stateOf = (pass: GPUComputePassEncoder) => {
      const state = encoding.get(pass) ?? { label: "", groups: new Map() };
      encoding.set(pass, state);
      return state;
    };
    const dispatched = (pass: GPUComputePassEncoder) => {
      const { label, groups } = stateOf(pass);
      const kernel = (counting.kernels[label] ??= { dispatches: 0, bytes: 0 });
      counts.dispatches += 1;
      kernel.dispatches += 1;
      for (const group of groups.values()) {
        kernel.bytes += boundBytes.get(group) ?? 0;
      }
    };
    GPUComputePassEncoder.prototype.setPipeline = function counted(pipeline) {
      stateOf(this).label = pipeline.label;
      return setPipeline.call(this, pipeline);
    };
    GPUComputePassEncoder.prototype.setBindGroup = function counted(
      this: GPUComputePassEncoder,
      index: number,
      group: GPUBindGroup,
      ...offsets: []
    ) {
      stateOf(this).groups.set(index, group);
      return setBindGroup.call(this, index, group, ...offsets);
    };
    GPUComputePassEncoder.prototype.dispatchWorkgroups = function counted(x, y, z) {
      dispatched(this);
      return dispatchWorkgroups.call(this, x, y, z);
    };
    GPUComputePassEncoder.prototype.dispatchWorkgroupsIndirect = function counted(buffer, offset) {
      dispatched(this);
      return dispatchWorkgroupsIndirect.call(this, buffer, offset);
    };
  });
}
