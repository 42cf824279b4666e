// Calls `request` while `GPUAdapter.requestDevice` also asks for `feature`, if the adapter has it.
//
// wgpu 30 has no name for `subgroups` in the browser (gfx-rs/wgpu#10146), and neither hands out its
// adapter nor takes a device. `request` is synchronous: nothing else on the page ever sees the
// changed method.
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
