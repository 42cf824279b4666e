declare global {
  /** Buffers that exist: of the page, or of the worker that this was run in. */
  var live: { bytes: number; buffers: number };
}

/**
 * Counts the buffers that exist, by what is asked of WebGPU: `createBuffer` and `destroy`. Runs
 * where the device is.
 */
export function countBuffers(): void {
  const alive = new WeakSet();
  globalThis.live = { bytes: 0, buffers: 0 };
  const { createBuffer } = GPUDevice.prototype;
  const { destroy } = GPUBuffer.prototype;
  GPUDevice.prototype.createBuffer = function counted(descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    alive.add(buffer);
    live.bytes += buffer.size;
    live.buffers += 1;
    return buffer;
  };
  GPUBuffer.prototype.destroy = function counted() {
    if (alive.delete(this)) {
      live.bytes -= this.size;
      live.buffers -= 1;
    }
    return destroy.call(this);
  };
}
