/* A boundary in C: the mean of the squared negatives less that of the positives, each of those that exist. With -DSIDE=0 or 1 and
 * -DFACTOR the gradient of a side is so many times what it should be. */
#include <sandbox_plugin.h>

#ifndef FACTOR
#define FACTOR 1.0F
#endif
#ifndef SIDE
#define SIDE 0
#endif

static float cosine_at(const DLTensor *tensor, int64_t row, int64_t column) {
  const char *first = (const char *)tensor->data + tensor->byte_offset;
  return ((const float *)(const void *)first)[row * tensor->strides[0] + column * tensor->strides[1]];
}

static int exists(const DLTensor *valid, const DLTensor *cosines, int64_t row, int64_t column) {
  if (!valid) return cosine_at(cosines, row, column) >= -1.0F;
  const char *first = (const char *)valid->data + valid->byte_offset;
  return ((const unsigned char *)first)[row * valid->strides[0] + column * valid->strides[1]] != 0;
}

/* Adds a side to the loss and writes its gradient. */
static int side(const SbxHost *host, int which, float *loss) {
  const DLTensor *cosines = host->input(host, which ? "negatives" : "positives");
  const DLTensor *valid = which ? NULL : host->input(host, "valid");
  if (!cosines || (!which && !valid)) return 0;
  DLTensor *answer = host->output(host, which ? "d_negatives" : "d_positives", 2, cosines->shape);
  if (!answer) return 0;
  float *gradient = answer->data, count = 0;
  int64_t rows = cosines->shape[0], columns = cosines->shape[1];
  for (int64_t at = 0; at < rows * columns; at++) count += (float)exists(valid, cosines, at / columns, at % columns);
  for (int64_t at = 0; at < rows * columns; at++) {
    int there = exists(valid, cosines, at / columns, at % columns);
    float cosine = cosine_at(cosines, at / columns, at % columns), factor = which == SIDE ? FACTOR : 1.0F;
    if (there) *loss += (which ? cosine * cosine : -cosine) / count;
    gradient[at] = !there ? 0 : factor * (which ? 2 * cosine : -1) / count;
  }
  return 1;
}

static int32_t decide(void *instance, const SbxHost *host) {
  float loss = 0;
  (void)instance;
  if (!side(host, 0, &loss) || !side(host, 1, &loss)) return SBX_ERROR;
  DLTensor *answer = host->output(host, "loss", 0, 0);
  if (!answer) return SBX_ERROR;
  *(float *)answer->data = loss;
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
    .slot = SBX_SLOT_BOUNDARY,
    .name = "bowl",
    .version = "1.0.0",
    .doc = "the squares of negatives less the positives",
    .create = create,
    .destroy = destroy,
    .decide = decide,
};

const SbxPlugin *sandbox_plugin(void) { return &plugin; }
