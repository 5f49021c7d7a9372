/* A novelty in C: the paper's rule, `scripts/novelties/nearest.rhai`. With -DOF_BETA or -DOF_GAMMA a derivative is so many times what it
 * should be, and with -DLEFT_OUT neither is given. */
#include <sandbox_plugin.h>

#ifndef OF_BETA
#define OF_BETA 1.0F
#endif
#ifndef OF_GAMMA
#define OF_GAMMA 1.0F
#endif

static const float *at(const DLTensor *tensor, int64_t row, int64_t column) {
  const char *first = (const char *)tensor->data + tensor->byte_offset;
  int64_t along = tensor->ndim > 1 ? column * tensor->strides[1] : 0;
  return (const float *)(const void *)first + row * tensor->strides[0] + along;
}

static int32_t decide(void *instance, const SbxHost *host) {
  (void)instance;
  const DLTensor *scores = host->input(host, "scores"), *beta = host->input(host, "beta"), *gamma = host->input(host, "gamma");
  if (!scores || !beta || !gamma) return SBX_ERROR;
  DLTensor *logit = host->output(host, "logit", 1, scores->shape);
  if (!logit) return SBX_ERROR;
#ifndef LEFT_OUT
  DLTensor *by_beta = host->output(host, "d_beta", 1, scores->shape), *by_gamma = host->output(host, "d_gamma", 1, scores->shape);
  if (!by_beta || !by_gamma) return SBX_ERROR;
#endif
  for (int64_t stream = 0; stream < scores->shape[0]; stream++) {
    float nearest = *at(scores, stream, 0), wide = *at(gamma, stream, 0);
    for (int64_t k = 1; k < scores->shape[1]; k++) {
      if (*at(scores, stream, k) > nearest) nearest = *at(scores, stream, k);
    }
    float found = (-nearest - *at(beta, stream, 0)) / wide;
    ((float *)logit->data)[stream] = found;
#ifndef LEFT_OUT
    ((float *)by_beta->data)[stream] = OF_BETA * -1.0F / wide;
    ((float *)by_gamma->data)[stream] = OF_GAMMA * -found / wide;
#endif
  }
  return SBX_OK;
}

static int32_t create(const SbxHost *host, const SbxValue *values, void **instance) {
  static int nothing;
  (void)host;
  (void)values;
  *instance = &nothing;
  return SBX_OK;
}

static void destroy(void *instance) { (void)instance; }

static const SbxPlugin plugin = {
    .struct_size = sizeof(SbxPlugin),
    .abi_major = SBX_ABI_MAJOR,
    .layout = SBX_LAYOUT,
    .slot = SBX_SLOT_NOVELTY,
    .devices = SBX_DEVICES_CPU,
    .name = "nearest",
    .version = "1.0.0",
    .doc = "how far the nearest prototype is",
    .create = create,
    .destroy = destroy,
    .decide = decide,
};

const SbxPlugin *sandbox_plugin(void) { return &plugin; }
