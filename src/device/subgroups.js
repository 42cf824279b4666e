// Calls `request` while `GPUAdapter.requestDevice` asks for `feature` as well, where the adapter has it.
//
// wgpu 30 has no name for `subgroups` in the browser (gfx-rs/wgpu#10146) and hands out no adapter to ask by oneself.
// `request` is synchronous, so nothing else on the page ever sees the changed method.
export function requestingFeature(feature, request) {
  const { prototype } = GPUAdapter;
  const own = Object.getOwnPropertyDescriptor(prototype, "requestDevice");
  prototype.requestDevice = function (descriptor) {
    if (this.features.has(feature)) {
      descriptor.requiredFeatures = [...(descriptor.requiredFeatures ?? []), feature];
    }
    return own.value.call(this, descriptor);
  };
  try {
    request();
  } finally {
    Object.defineProperty(prototype, "requestDevice", own);
  }
}
