// The steps of training that memory bounds, for tensors in channels_last: depthwise 3 x 3
// convolution, batch norm with its ReLU, 2 x 2 max-pooling; forward and backward.
//
// A tensor is [images][pixels][channels], channels a multiple of 8, float32 or bfloat16; sums are
// float32 within a block of pixels and double over blocks. Blocks do not depend on the number of
// threads and are added in order, so that the answer doesn't either.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace {

using std::int64_t;

struct BFloat16 {
  std::uint16_t bits;
};

template <int V>
struct Lanes {
  typedef float F __attribute__((vector_size(4 * V)));
  typedef std::uint32_t U __attribute__((vector_size(4 * V)));
  typedef std::uint16_t H __attribute__((vector_size(2 * V)));
};

template <int V>
inline typename Lanes<V>::F load(const float* from) {
  typename Lanes<V>::F value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <int V>
inline typename Lanes<V>::F load(const BFloat16* from) {
  typename Lanes<V>::H half;
  std::memcpy(&half, from, sizeof half);
  return (typename Lanes<V>::F)(__builtin_convertvector(half, typename Lanes<V>::U) << 16);
}

template <int V>
inline void store(float* to, typename Lanes<V>::F value) {
  std::memcpy(to, &value, sizeof value);
}

// To the nearest, ties to even, as PyTorch rounds; NaN stays NaN.
template <int V>
inline void store(BFloat16* to, typename Lanes<V>::F value) {
#ifdef __AVX512BF16__
  if constexpr (V == 16) {
    const __m256bh half = _mm512_cvtneps_pbh((__m512)value);
    std::memcpy(to, &half, sizeof half);
    return;
  }
#endif
  typedef typename Lanes<V>::U U;
  const U bits = (U)value;
  const U rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const auto kept = (U)(value == value);
  const U sound = (rounded & kept) | (0x7fc0u & ~kept);
  const auto half = __builtin_convertvector(sound, typename Lanes<V>::H);
  std::memcpy(to, &half, sizeof half);
}

#ifdef __AVX512F__
constexpr int WIDE = 16;
#else
constexpr int WIDE = 8;
#endif

// Calls `work.template run<V>(c)` for each group of channels c ... c + V - 1.
template <class Work>
inline void over_channels(int64_t channels, const Work& work) {
  int64_t c = 0;
  for (; c + WIDE <= channels; c += WIDE) work.template run<WIDE>(c);
  for (; c < channels; c += 8) work.template run<8>(c);
}

// ---------------------------------------------------------------- depthwise 3 x 3, 'same'

// Offset of pixel w of a row whose pixels 2 w and 2 w + 2 are `pair` apart.
inline int64_t pixel(int64_t w, int64_t pair, int64_t channels) {
  return (w >> 1) * pair + (w & 1) * channels;
}

// y of one row from the three rows around it; `taps` is [9][channels].
template <class T>
struct Smooth {
  const T* rows[3];
  const float* taps;
  T* y;
  int64_t width, channels;
  int64_t pair, own;  // layout of y: its pairs of pixels and its channels

  // Only channels `at` ..., whose y is a tensor of its own.
  void only(int64_t at, int64_t count) {
    for (const T*& row : rows) row += at;
    taps += at, own = count;
  }

  template <int V>
  void run(int64_t c) const {
    typedef typename Lanes<V>::F F;
    F tap[9], left[3], here[3];
    for (int k = 0; k < 9; ++k) tap[k] = load<V>(taps + k * channels + c);
    for (int r = 0; r < 3; ++r) left[r] = F{}, here[r] = load<V>(rows[r] + c);
    for (int64_t w = 0; w < width; ++w) {
      F right[3], sum = F{};
      for (int r = 0; r < 3; ++r) {
        right[r] = w + 1 < width ? load<V>(rows[r] + (w + 1) * channels + c) : F{};
        sum += tap[3 * r] * left[r] + tap[3 * r + 1] * here[r] + tap[3 * r + 2] * right[r];
        left[r] = here[r], here[r] = right[r];
      }
      store<V>(y + pixel(w, pair, own) + c, sum);
    }
  }
};

// Adds one row's share of the taps' gradient to `sums`, [9][channels].
template <class T>
struct TapSums {
  const T* rows[3];
  const T* slope;
  float* sums;
  int64_t width, channels;

  template <int V>
  void run(int64_t c) const {
    typedef typename Lanes<V>::F F;
    F sum[9], left[3], here[3];
    for (int k = 0; k < 9; ++k) sum[k] = load<V>(sums + k * channels + c);
    for (int r = 0; r < 3; ++r) left[r] = F{}, here[r] = load<V>(rows[r] + c);
    for (int64_t w = 0; w < width; ++w) {
      const F g = load<V>(slope + w * channels + c);
      for (int r = 0; r < 3; ++r) {
        const F right = w + 1 < width ? load<V>(rows[r] + (w + 1) * channels + c) : F{};
        sum[3 * r] += left[r] * g, sum[3 * r + 1] += here[r] * g, sum[3 * r + 2] += right * g;
        left[r] = here[r], here[r] = right;
      }
    }
    for (int k = 0; k < 9; ++k) store<V>(sums + k * channels + c, sum[k]);
  }
};

struct Grid {
  int64_t images, height, width, channels;
  int64_t row() const { return width * channels; }
};

// The rows h - 1, h, h + 1 of an image; zeros outside.
template <class T>
void rows_around(const T* image, const T* zeros, const Grid& g, int64_t h, const T* rows[3]) {
  for (int r = 0; r < 3; ++r) {
    const int64_t at = h + r - 1;
    rows[r] = at < 0 || at >= g.height ? zeros : image + at * g.row();
  }
}

constexpr int64_t BAND = 16;  // rows of a block

// Correlating with these undoes correlating with the taps.
std::vector<float> turned_taps(const float* taps, int64_t channels) {
  std::vector<float> turned(taps ? 9 * channels : 0);
  for (int k = 0; taps && k < 9; ++k)
    std::copy_n(taps + (8 - k) * channels, channels, turned.data() + k * channels);
  return turned;
}

// The sums of all blocks, added in their order.
std::vector<double> summed(const std::vector<float>& blocks, int64_t size) {
  std::vector<double> total(size, 0.0);
  for (std::size_t block = 0; block < blocks.size(); block += size)
    for (int64_t k = 0; k < size; ++k) total[k] += blocks[block + k];
  return total;
}

template <class T>
void depthwise_forward(const T* x, const float* taps, T* y, const Grid& g, int threads) {
  const std::vector<T> zeros(g.row(), T{});
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t at = 0; at < g.images * g.height; ++at) {
    const int64_t n = at / g.height, h = at % g.height;
    Smooth<T> work{{}, taps, y + at * g.row(), g.width, g.channels, 2 * g.channels, g.channels};
    rows_around(x + n * g.height * g.row(), zeros.data(), g, h, work.rows);
    over_channels(g.channels, work);
  }
}

template <class T>
void depthwise_backward(const T* x, const T* slope, const float* taps, T* dx, float* dtaps,
                        const Grid& g, int threads) {
  const std::vector<T> zeros(g.row(), T{});
  const std::vector<float> turned = turned_taps(taps, g.channels);
  const int64_t bands = (g.height + BAND - 1) / BAND, blocks = g.images * bands;
  std::vector<float> sums(blocks * 9 * g.channels, 0.0f);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t n = block / bands, first = block % bands * BAND;
    const int64_t image = n * g.height * g.row();
    float* own = sums.data() + block * 9 * g.channels;
    for (int64_t h = first; h < std::min(first + BAND, g.height); ++h) {
      TapSums<T> adding{{}, slope + image + h * g.row(), own, g.width, g.channels};
      rows_around(x + image, zeros.data(), g, h, adding.rows);
      over_channels(g.channels, adding);
      if (!dx) continue;
      Smooth<T> work{{},      turned.data(), dx + image + h * g.row(), g.width, g.channels,
                     2 * g.channels, g.channels};
      rows_around(slope + image, zeros.data(), g, h, work.rows);
      over_channels(g.channels, work);
    }
  }
  const std::vector<double> total = summed(sums, 9 * g.channels);
  std::copy(total.begin(), total.end(), dtaps);
}

// ---------------------------------------------------------------- batch norm

// Channels `at` ... `at + channels - 1` of what is normalised, a tensor of its own. In `squares`
// layout the four pixels of each 2 x 2 square lie together, as a transposed convolution of stride 2
// makes them: [images][height / 2][width / 2][2][2][channels].
template <class T>
struct Part {
  T* x;
  int64_t channels, at;
  bool squares;

  T* row(const Grid& g, int64_t n, int64_t h) const {
    if (!squares) return x + (n * g.height + h) * g.width * channels;
    return x + ((n * g.height + h - h % 2) * g.width + h % 2 * 2) * channels;
  }
  // Distance of pixels 2 w and 2 w + 2 of a row; 2 w + 1 lies right behind 2 w.
  int64_t pair() const { return (squares ? 4 : 2) * channels; }
};

template <class T>
struct Moments {
  const T* x;
  float *mean, *squares;
  int64_t count, channels;

  template <int V>
  void run(int64_t c) const {
    typedef typename Lanes<V>::F F;
    F sum = F{}, spread = F{};
    for (int64_t i = 0; i < count; ++i) sum += load<V>(x + i * channels + c);
    const F middle = sum / float(count);
    for (int64_t i = 0; i < count; ++i) {
      const F away = load<V>(x + i * channels + c) - middle;
      spread += away * away;
    }
    store<V>(mean + c, middle), store<V>(squares + c, spread);
  }
};

// Mean and biased variance of each channel of `pixels` pixels.
template <class T>
void moments(const T* x, float* mean, float* variance, int64_t pixels, int64_t channels,
             int threads) {
  // A block lies in a core's cache while it is read twice.
  const int64_t size = std::max<int64_t>(16, 16384 / channels);
  const int64_t blocks = (pixels + size - 1) / size;
  const auto count_of = [&](int64_t block) { return std::min(size, pixels - block * size); };
  std::vector<float> found(blocks * 2 * channels);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t block = 0; block < blocks; ++block) {
    float* own = found.data() + block * 2 * channels;
    over_channels(channels, Moments<T>{x + block * size * channels, own, own + channels,
                                       count_of(block), channels});
  }
  // Chan, Golub and LeVeque 1983: moments of parts make those of the whole.
  std::vector<double> middle(channels, 0.0), squares(channels, 0.0);
  double count = 0;
  for (int64_t block = 0; block < blocks; ++block) {
    const float* own = found.data() + block * 2 * channels;
    const double more = double(count_of(block)), all = count + more;
    for (int64_t c = 0; c < channels; ++c) {
      const double away = own[c] - middle[c];
      middle[c] += away * more / all;
      squares[c] += own[channels + c] + away * away * count * more / all;
    }
    count = all;
  }
  for (int64_t c = 0; c < channels; ++c)
    mean[c] = float(middle[c]), variance[c] = float(squares[c] / count);
}

// y = max(0, scale * x + shift) * keep, or without the ReLU; `keep` is 0 or more, a number for
// each image and channel, absent without dropout.
struct Norm {
  const float *scale, *shift, *keep;
  bool relu;

  const float* keep_of(int64_t n, int64_t channels) const {
    return keep ? keep + n * channels : nullptr;
  }
};

template <int V>
inline typename Lanes<V>::F kept(const float* keep, int64_t c) {
  return keep ? load<V>(keep + c) : typename Lanes<V>::F{} + 1.0f;
}

// One row of a part, normalised, into channels `at` ... of a row of y.
template <class T>
struct NormRow {
  const T* x;
  T* y;
  const float *scale, *shift, *keep;  // of the part's first channel
  bool relu;
  int64_t width, channels, pair, row;  // `row`: channels of y

  template <int V>
  void run(int64_t c) const {
    typedef typename Lanes<V>::F F;
    const F k = kept<V>(keep, c), a = load<V>(scale + c) * k, b = load<V>(shift + c) * k;
    const F low = relu ? F{} : F{} - __builtin_inff();
    for (int64_t w = 0; w < width; ++w) {
      const F value = a * load<V>(x + pixel(w, pair, channels) + c) + b;
      store<V>(y + w * row + c, value < low ? low : value);
    }
  }
};

template <class T>
struct Parts {
  Part<T> part[2];
  int count;
};

template <class T>
void norm_row(const Parts<T>& parts, const Norm& norm, const Grid& g, int64_t n, int64_t h, T* y) {
  for (int k = 0; k < parts.count; ++k) {
    const Part<T>& part = parts.part[k];
    const float* keep = norm.keep_of(n, g.channels);
    over_channels(part.channels,
                  NormRow<T>{part.row(g, n, h), y + part.at, norm.scale + part.at,
                             norm.shift + part.at, keep ? keep + part.at : nullptr, norm.relu,
                             g.width, part.channels, part.pair(), g.channels});
  }
}

// The rows h - 1, h, h + 1 of an image, normalised, while h goes down it; zeros outside.
template <class T>
class Window {
 public:
  // `first` is the first h; `rows` has room for three rows.
  Window(const Parts<T>& parts, const Norm& norm, const Grid& g, int64_t n, int64_t first, T* rows,
         const T* zeros)
      : parts_(parts),
        norm_(norm),
        grid_(g),
        image_(n),
        rows_(rows),
        zeros_(zeros),
        last_(first - 2) {}

  void around(int64_t h, const T* rows[3]) {
    for (int r = 0; r < 3; ++r) {
      const int64_t at = h + r - 1;
      T* own = rows_ + (at + 3) % 3 * grid_.row();
      if (at < 0 || at >= grid_.height) {
        rows[r] = zeros_;
        continue;
      }
      if (at > last_) norm_row(parts_, norm_, grid_, image_, at, own), last_ = at;
      rows[r] = own;
    }
  }

 private:
  const Parts<T>& parts_;
  const Norm& norm_;
  const Grid& grid_;
  const int64_t image_;
  T* rows_;
  const T* zeros_;
  int64_t last_;  // the last row that is normalised
};

// Normalised, and then smoothed by the taps of a depthwise convolution if there are any.
template <class T>
void norm_forward(const Parts<T>& parts, const Norm& norm, const float* taps, T* y, const Grid& g,
                  int threads) {
  const int64_t bands = (g.height + BAND - 1) / BAND;
  const std::vector<T> zeros(g.row(), T{});
#pragma omp parallel num_threads(threads)
  {
    std::vector<T> rows(taps ? 3 * g.row() : 0);
#pragma omp for schedule(static)
    for (int64_t block = 0; block < g.images * bands; ++block) {
      const int64_t n = block / bands, first = block % bands * BAND;
      Window<T> window(parts, norm, g, n, first, rows.data(), zeros.data());
      for (int64_t h = first; h < std::min(first + BAND, g.height); ++h) {
        T* to = y + (n * g.height + h) * g.row();
        if (!taps) {
          norm_row(parts, norm, g, n, h, to);
          continue;
        }
        Smooth<T> work{{}, taps, to, g.width, g.channels, 2 * g.channels, g.channels};
        window.around(h, work.rows);
        over_channels(g.channels, work);
      }
    }
  }
}

// The gradient before ReLU and dropout, of V channels of a pixel.
template <int V, bool RELU>
struct Before {
  typename Lanes<V>::F scale, shift, keep;

  typename Lanes<V>::F operator()(typename Lanes<V>::F x, typename Lanes<V>::F slope) const {
    typedef typename Lanes<V>::F F;
    if (!RELU) return slope * keep;
    return scale * x + shift > F{} ? slope * keep : F{};
  }
};

// Where the gradient of a row lies: its pixels as x's, or as y's.
template <class T>
struct SlopeRow {
  const T *x, *slope;
  const float *scale, *shift, *keep;
  int64_t width, channels, pair, slope_pair, slope_channels;
};

// Adds a row's share of sum(g) and sum(g * (x - mean)).
template <class T, bool RELU>
struct SlopeSums : SlopeRow<T> {
  const float* mean;
  float *plain, *scaled;

  template <int V>
  void run(int64_t c) const {
    typedef typename Lanes<V>::F F;
    const Before<V, RELU> before{load<V>(this->scale + c), load<V>(this->shift + c),
                                 kept<V>(this->keep, c)};
    const F middle = load<V>(mean + c);
    F sum = load<V>(plain + c), weighed = load<V>(scaled + c);
    for (int64_t w = 0; w < this->width; ++w) {
      const F x = load<V>(this->x + pixel(w, this->pair, this->channels) + c);
      const F own = before(
          x, load<V>(this->slope + pixel(w, this->slope_pair, this->slope_channels) + c));
      sum += own, weighed += own * (x - middle);
    }
    store<V>(plain + c, sum), store<V>(scaled + c, weighed);
  }
};

template <class T, bool RELU>
struct SlopeApply : SlopeRow<T> {
  T* dx;
  const float *of_x, *constant;

  template <int V>
  void run(int64_t c) const {
    typedef typename Lanes<V>::F F;
    const F a = load<V>(this->scale + c), t = load<V>(of_x + c), u = load<V>(constant + c);
    const Before<V, RELU> before{a, load<V>(this->shift + c), kept<V>(this->keep, c)};
    for (int64_t w = 0; w < this->width; ++w) {
      const int64_t at = pixel(w, this->pair, this->channels) + c;
      const F x = load<V>(this->x + at);
      const F own = before(
          x, load<V>(this->slope + pixel(w, this->slope_pair, this->slope_channels) + c));
      store<V>(dx + at, a * own + t * x + u);
    }
  }
};

// What the backward pass of batch norm reads and writes besides the parts.
struct NormSlopes {
  const float *mean, *inverse;
  float *dweight, *dbias, *dtaps;
};

// With xhat = (x - mean) / deviation over M pixels, the gradient of x is
// weight / deviation * (g - sum(g) / M - xhat * sum(g * xhat) / M). With taps, g is first the
// gradient of the smoothed y: that of y is kept where the gradient of x will be.
template <class T, bool RELU>
void norm_backward(const Parts<T>& parts, const Parts<T>& changes, const Norm& norm,
                   const float* taps, const T* slope, const NormSlopes& to, const Grid& g,
                   int threads) {
  const int64_t bands = (g.height + BAND - 1) / BAND, blocks = g.images * bands, C = g.channels;
  const int64_t size = 2 * C + (taps ? 9 * C : 0);
  const std::vector<T> zeros(g.row(), T{});
  const std::vector<float> turned = turned_taps(taps, C);
  std::vector<float> found(blocks * size, 0.0f);
  // The gradient of y: of a part's channels in the part's layout, or in y's.
  const auto slope_row = [&](int k, int64_t n, int64_t h) {
    const Part<T>&part = parts.part[k], &change = changes.part[k];
    const float* keep = norm.keep_of(n, C);
    const T* own = taps ? change.row(g, n, h) : slope + (n * g.height + h) * g.row() + part.at;
    return SlopeRow<T>{part.row(g, n, h),   own,
                       norm.scale + part.at, norm.shift + part.at,
                       keep ? keep + part.at : nullptr,
                       g.width,              part.channels,
                       part.pair(),          taps ? part.pair() : 2 * C,
                       taps ? part.channels : C};
  };
#pragma omp parallel num_threads(threads)
  {
    std::vector<T> rows(taps ? 3 * g.row() : 0);
#pragma omp for schedule(static)
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t n = block / bands, first = block % bands * BAND;
      float* own = found.data() + block * size;
      Window<T> window(parts, norm, g, n, first, rows.data(), zeros.data());
      for (int64_t h = first; h < std::min(first + BAND, g.height); ++h) {
        if (taps) {
          const T* image = slope + n * g.height * g.row();
          TapSums<T> adding{{}, image + h * g.row(), own + 2 * C, g.width, C};
          window.around(h, adding.rows);
          over_channels(C, adding);
          for (int k = 0; k < changes.count; ++k) {
            const Part<T>& part = changes.part[k];
            Smooth<T> work{{}, turned.data(), part.row(g, n, h), g.width, C, part.pair(), C};
            rows_around(image, zeros.data(), g, h, work.rows);
            work.only(part.at, part.channels);
            over_channels(part.channels, work);
          }
        }
        for (int k = 0; k < parts.count; ++k) {
          const int64_t at = parts.part[k].at;
          over_channels(parts.part[k].channels,
                        SlopeSums<T, RELU>{slope_row(k, n, h), to.mean + at, own + at,
                                           own + C + at});
        }
      }
    }
  }
  const std::vector<double> total = summed(found, size);
  if (taps) std::copy(total.begin() + 2 * C, total.end(), to.dtaps);
  const double count = double(g.images * g.height * g.width);
  std::vector<float> of_x(C), constant(C);
  for (int64_t c = 0; c < C; ++c) {
    const double plain = total[c], scaled = total[C + c], inverse = to.inverse[c];
    const double tilt = -norm.scale[c] * inverse * inverse * scaled / count;
    to.dweight[c] = float(scaled * inverse), to.dbias[c] = float(plain);
    of_x[c] = float(tilt);
    constant[c] = float(-norm.scale[c] * plain / count - tilt * to.mean[c]);
  }
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t at = 0; at < g.images * g.height; ++at) {
    const int64_t n = at / g.height, h = at % g.height;
    for (int k = 0; k < parts.count; ++k) {
      const int64_t from = parts.part[k].at;
      over_channels(parts.part[k].channels,
                    SlopeApply<T, RELU>{slope_row(k, n, h), changes.part[k].row(g, n, h),
                                        of_x.data() + from, constant.data() + from});
    }
  }
}

// ---------------------------------------------------------------- 2 x 2 max-pooling

template <class T>
struct Pool {
  const T *upper, *lower;
  T* y;
  int64_t width, channels;  // of y

  template <int V>
  void run(int64_t c) const {
    typedef typename Lanes<V>::F F;
    for (int64_t w = 0; w < width; ++w) {
      const int64_t at = 2 * w * channels + c;
      const F a = load<V>(upper + at), b = load<V>(upper + at + channels);
      const F d = load<V>(lower + at), e = load<V>(lower + at + channels);
      const F top = b > a ? b : a, bottom = e > d ? e : d;
      store<V>(y + w * channels + c, bottom > top ? bottom : top);
    }
  }
};

// The gradient goes to the first largest of the four, row by row, as PyTorch's does.
template <class T>
struct Unpool {
  const T *upper, *lower, *g;
  T *dupper, *dlower;
  int64_t width, channels;

  template <int V>
  void run(int64_t c) const {
    typedef typename Lanes<V>::F F;
    for (int64_t w = 0; w < width; ++w) {
      const int64_t at = 2 * w * channels + c;
      const F a = load<V>(upper + at), b = load<V>(upper + at + channels);
      const F d = load<V>(lower + at), e = load<V>(lower + at + channels);
      const F slope = load<V>(g + w * channels + c);
      const F top = b > a ? b : a, bottom = e > d ? e : d;
      const F above = bottom > top ? F{} : slope, below = bottom > top ? slope : F{};
      store<V>(dupper + at, b > a ? F{} : above);
      store<V>(dupper + at + channels, b > a ? above : F{});
      store<V>(dlower + at, e > d ? F{} : below);
      store<V>(dlower + at + channels, e > d ? below : F{});
    }
  }
};

template <class T>
void pool_forward(const T* x, T* y, const Grid& g, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t at = 0; at < g.images * g.height; ++at) {
    const T* upper = x + at * 4 * g.row();
    over_channels(g.channels,
                  Pool<T>{upper, upper + 2 * g.row(), y + at * g.row(), g.width, g.channels});
  }
}

template <class T>
void pool_backward(const T* x, const T* slope, T* dx, const Grid& g, int threads) {
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int64_t at = 0; at < g.images * g.height; ++at) {
    const T* upper = x + at * 4 * g.row();
    T* to = dx + at * 4 * g.row();
    over_channels(g.channels, Unpool<T>{upper, upper + 2 * g.row(), slope + at * g.row(), to,
                                        to + 2 * g.row(), g.width, g.channels});
  }
}

template <class T>
Parts<T> parts_of(T* first, T* second, const Grid& g, int64_t first_channels, bool squares) {
  return {{{first, first_channels, 0, false},
           {second, g.channels - first_channels, first_channels, squares}},
          g.channels > first_channels ? 2 : 1};
}

}  // namespace

// Heights and widths are those of the gradient, or of y for pooling. `half`: bfloat16.
#define BY_TYPE(half, ...) \
  if (half) {              \
    typedef BFloat16 T;    \
    __VA_ARGS__;           \
  } else {                 \
    typedef float T;       \
    __VA_ARGS__;           \
  }

extern "C" {

void cardioseg_depthwise_forward(int half, const void* x, const float* taps, void* y,
                                 int64_t images, int64_t height, int64_t width, int64_t channels,
                                 int threads) {
  const Grid g{images, height, width, channels};
  BY_TYPE(half, depthwise_forward((const T*)x, taps, (T*)y, g, threads))
}

void cardioseg_depthwise_backward(int half, const void* x, const void* slope, const float* taps,
                                  void* dx, float* dtaps, int64_t images, int64_t height,
                                  int64_t width, int64_t channels, int threads) {
  const Grid g{images, height, width, channels};
  BY_TYPE(half, depthwise_backward((const T*)x, (const T*)slope, taps, (T*)dx, dtaps, g, threads))
}

void cardioseg_moments(int half, const void* x, float* mean, float* variance, int64_t pixels,
                       int64_t channels, int threads) {
  BY_TYPE(half, moments((const T*)x, mean, variance, pixels, channels, threads))
}

// The second part may be absent, of no channels; it is the one that may lie in squares.
void cardioseg_norm_forward(int half, int relu, int squares, const void* first, const void* second,
                            const float* scale, const float* shift, const float* keep,
                            const float* taps, void* y, int64_t images, int64_t height,
                            int64_t width, int64_t channels, int64_t first_channels, int threads) {
  const Grid g{images, height, width, channels};
  const Norm norm{scale, shift, keep, relu != 0};
  BY_TYPE(half, norm_forward(parts_of((T*)(first), (T*)(second), g, first_channels, squares), norm,
                             taps, (T*)y, g, threads))
}

void cardioseg_norm_backward(int half, int relu, int squares, const void* first, const void* second,
                             void* dfirst, void* dsecond, const float* scale, const float* shift,
                             const float* keep, const float* taps, const void* slope,
                             const float* mean, const float* inverse, float* dweight, float* dbias,
                             float* dtaps, int64_t images, int64_t height, int64_t width,
                             int64_t channels, int64_t first_channels, int threads) {
  const Grid g{images, height, width, channels};
  const Norm norm{scale, shift, keep, relu != 0};
  const NormSlopes to{mean, inverse, dweight, dbias, dtaps};
  BY_TYPE(half, {
    const auto parts = parts_of((T*)(first), (T*)(second), g, first_channels, squares);
    const auto changes = parts_of((T*)(dfirst), (T*)(dsecond), g, first_channels, squares);
    const auto run = relu ? norm_backward<T, true> : norm_backward<T, false>;
    run(parts, changes, norm, taps, (const T*)slope, to, g, threads);
  })
}

void cardioseg_pool_forward(int half, const void* x, void* y, int64_t images, int64_t height,
                            int64_t width, int64_t channels, int threads) {
  const Grid g{images, height, width, channels};
  BY_TYPE(half, pool_forward((const T*)x, (T*)y, g, threads))
}

void cardioseg_pool_backward(int half, const void* x, const void* slope, void* dx, int64_t images,
                             int64_t height, int64_t width, int64_t channels, int threads) {
  const Grid g{images, height, width, channels};
  BY_TYPE(half, pool_backward((const T*)x, (const T*)slope, (T*)dx, g, threads))
}

}  // extern "C"
