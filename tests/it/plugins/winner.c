/* A prototypes policy in C, `scripts/prototypes/winner.rhai`: the nearest prototype takes all, the one that was used least makes room.
 * With -DSHARE and -DPLACE these are others. */
#include <sandbox_plugin.h>

#ifndef SHARE
#define SHARE 1.0F
#endif

static float at(const DLTensor *tensor, int64_t row, int64_t column) {
  const char *first = (const char *)tensor->data + tensor->byte_offset;
  return ((const float *)(const void *)first)[row * tensor->strides[0] + column * tensor->strides[1]];
}

static int32_t decide(void *instance, const SbxHost *host) {
  (void)instance;
  const DLTensor *scores = host->input(host, "scores"), *usage = host->input(host, "usage"), *age = host->input(host, "age");
  const DLTensor *novelty = host->input(host, "novelty");
  if (!scores || !usage || !age || !novelty) return SBX_ERROR;
  DLTensor *share = host->output(host, "share", 2, scores->shape), *place = host->output(host, "place", 1, scores->shape);
  if (!share || !place) return SBX_ERROR;
  int64_t places = scores->shape[1];
  for (int64_t stream = 0; stream < scores->shape[0]; stream++) {
    int64_t nearest = 0, least = 0;
    for (int64_t k = 0; k < places; k++) {
      ((float *)share->data)[stream * places + k] = 0;
      if (at(scores, stream, k) > at(scores, stream, nearest)) nearest = k;
      if (at(usage, stream, k) < at(usage, stream, least)) least = k;
    }
#ifdef PLACE
    least = PLACE;
#endif
    ((float *)share->data)[stream * places + nearest] = SHARE;
    ((int64_t *)place->data)[stream] = least;
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
    .slot = SBX_SLOT_PROTOTYPES,
    .devices = SBX_DEVICES_CPU,
    .name = "winner",
    .version = "1.0.0",
    .doc = "the nearest prototype takes all",
    .create = create,
    .destroy = destroy,
    .decide = decide,
};

const SbxPlugin *sandbox_plugin(void) { return &plugin; }
