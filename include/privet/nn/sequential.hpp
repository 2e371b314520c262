#pragma once
// Layers one after another. `sequential` knows its layers by type; `network` (nn/network.hpp)
// holds them by value at run time; both are the same engine over another list, and so give
// the same bits.

#include <privet/core/dtype.hpp>
#include <privet/core/function_ref.hpp>
#include <privet/core/indexed_list.hpp>
#include <privet/core/parameters.hpp>
#include <privet/nn/layer.hpp>
#include <privet/nn/tape.hpp>
#include <privet/simd/convolution.hpp>
#include <privet/simd/elementwise.hpp>
#include <privet/simd/reduce.hpp>
#include <privet/simd/transpose.hpp>

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <type_traits>

namespace privet {

namespace detail {

/// The width of the rows that a layer reads, if it knows one.
template <class L>
std::optional<std::size_t> own_in_width(const L& layer) {
  if constexpr (requires { layer.in_width(); })
    return layer.in_width();
  else if constexpr (requires { std::size_t{layer.in}; })
    return std::size_t{layer.in};
  return std::nullopt;
}

/// Whether a list may hold layers that read what an earlier one reads; of others nothing is compiled for that.
template <class List>
inline constexpr bool with_branches = requires { List::with_branches; };
template <class... L>
inline constexpr bool with_branches<indexed_list<L...>> = ((is_join<L> || is_branch<L>) || ...);

/// A list whose layers may share parameters (nn/tied.hpp); of others nothing is compiled for that.
template <class List>
struct shared_list : List {
  static constexpr bool with_ties = true;
};
template <class List>
inline constexpr bool with_branches<shared_list<List>> = with_branches<List>;
template <class List>
inline constexpr bool with_ties = requires { List::with_ties; };

} // namespace detail

/// The engine: a list of layers read against one flat vector.
///
/// List      offers `size()`, `visit(i, f)`, `for_each(f)` and, for an activation beside a layer that takes it along,
///           `visit_pair(i, f)`
/// Paths     each layer reads the output of the one before it; a join adds that of an earlier one to it, the layer
///           behind a branch reads that of an earlier one instead (nn/residual.hpp)
/// Order     parameters lie in layer order, each layer as it documents; those of local layers behind all others
/// Ties      layers that share parameters have one place in that order, that of the first of them
template <class List>
class layer_stack {
 public:
  explicit layer_stack(List layers) : layers_(std::move(layers)) { measure(); }

  const List& layers() const noexcept { return layers_; }
  std::size_t depth() const noexcept { return places_.size(); }
  std::size_t in_width() const noexcept { return places_.front().in; }
  std::size_t out_width() const noexcept { return places_.back().out; }
  group_sizes sizes() const noexcept { return sizes_; }
  bool is_local(std::size_t layer) const noexcept { return places_[layer].local; }
  std::vector<std::size_t> local_layers() const {
    std::vector<std::size_t> local;
    for (std::size_t i = 0; i < depth(); ++i)
      if (is_local(i)) local.push_back(i);
    return local;
  }

  /// Makes the parameters of these layers local: trained like all others, but never sent anywhere. Throws N001 for
  /// a layer that is not there or has no parameters.
  void keep_local(std::span<const std::size_t> layers) {
    for (const auto i : layers) {
      require(i < depth() && places_[i].parametric, fault::argument, "keep_local: layer ", i, " of ", depth(),
              i < depth() ? " has no parameters" : " layers");
      places_[places_[i].origin].local = true;
    }
    place_parameters();
  }

  /// The first of the layers that read the parameters of this one; itself where nothing is tied.
  std::size_t origin(std::size_t layer) const noexcept { return places_[layer].origin; }
  /// The layers of each tie, in order.
  std::vector<std::vector<std::size_t>> ties() const {
    std::vector<std::vector<std::size_t>> all;
    for (std::size_t i = 0; i < depth(); ++i) {
      if (!places_[i].tied || origin(i) != i) continue;
      all.emplace_back();
      for (std::size_t j = i; j < depth(); ++j)
        if (origin(j) == i) all.back().push_back(j);
    }
    return all;
  }

  /// Makes these layers, and those that were tied to one of them before, read the same parameters. They are local if
  /// those of one were. Throws N001 for fewer than two layers, one that is named twice, is not there or has no
  /// parameters; N003 for layers with other tensors.
  void tie(std::span<const std::size_t> layers)
    requires(detail::with_ties<List>)
  {
    require(layers.size() >= 2, fault::argument, "tie: ", layers.size(), " layers, expected two or more");
    std::size_t first = depth();
    for (const auto i : layers) {
      require(std::ranges::count(layers, i) == 1, fault::argument, "tie: layer ", i, " is named twice");
      require(i < depth() && places_[i].parametric, fault::argument, "tie: layer ", i, " of ", depth(),
              i < depth() ? " has no parameters" : " layers");
      const auto expected = tensors_text(layers[0]), found = tensors_text(i);
      require(found == expected, fault::shape, "tie: layer ", layers[0], " has ", expected, ", layer ", i,
              " has ", found);
      first = std::min(first, origin(i));
    }
    for (const auto i : layers) {
      const std::size_t before = origin(i);
      places_[first].local |= places_[before].local;
      for (auto& p : places_)
        if (p.origin == before) p.origin = first, p.tied = p.weighs = true;
    }
    place_parameters();
  }

  template <class T = float>
  parameters<T> make_parameters() const {
    return parameters<T>(sizes());
  }
  /// Room for chunks of up to `capacity` rows; for `forward` alone less of it (nn/tape.hpp).
  template <class T = float>
  tape<T> make_tape(std::size_t capacity, passes of = passes::both) const {
    return tape<T>(tape_blocks<T>(of), capacity, scratch(capacity), of);
  }
  /// Bytes of so many rows and of the tape that is made for them.
  template <class T = float>
  std::size_t bytes_for(std::size_t rows, passes of = passes::both) const {
    return tape<T>::bytes(tape_blocks<T>(of), rows, scratch(rows), of) + rows * in_width() * sizeof(T);
  }
  /// How many rows to run at a time: `most` where the blocks of lanes behind the first take no more than `bytes`, else
  /// as many whole blocks as do, but one at least.
  template <class T = float>
  std::size_t rows_within(std::size_t bytes, std::size_t most, passes of = passes::both) const {
    const std::size_t one = bytes_for<T>(simd::lane_block, of); // with what does not grow with the rows
    const auto fits = [&](std::size_t rows) { return bytes_for<T>(rows, of) <= one + bytes; };
    if (fits(most)) return most;
    std::size_t some = 1, many = (most + simd::lane_block - 1) / simd::lane_block; // blocks
    while (some + 1 < many) {
      const std::size_t middle = (some + many) / 2;
      (fits(middle * simd::lane_block) ? some : many) = middle;
    }
    return some * simd::lane_block;
  }

  /// Runs rows through every layer; the last layer's output is `tape.output(depth() - 1)`.
  template <class Arch = simd::default_arch, class T>
  void forward(std::span<const T> p, std::size_t rows, const T* x, tape<T>& memory,
               layer_context context = {}) const;

  /// From the delta of the last layer to the delta of every layer's output. The delta of the
  /// network's input is not computed: nobody reads it.
  template <class Arch = simd::default_arch, class T>
  void backward(std::span<const T> p, std::size_t rows, const T* x, tape<T>& memory,
                layer_context context = {}) const;

  /// Layers with parameters; tied ones are one.
  std::size_t parametric_layers() const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < depth(); ++i) count += owns(i);
    return count;
  }
  /// The most numbers that one path through the sum of an example's squared norm adds up.
  std::size_t longest_norm() const {
    std::size_t most = 0;
    for_each_parametric([&](std::size_t i, const auto& layer) {
      const place& p = places_[i];
      std::size_t own = p.lanes  ? simd::lane_squares_depth(p.size)
                        : p.tied ? squared_at_once + p.size / squared_at_once + 1
                                 : p.in + p.out;
      if constexpr (requires { layer.norm_depth(); })
        if (!p.tied) own = layer.norm_depth();
      most = std::max(most, own);
    });
    return most + depth();
  }

  /// norms[r] = squared l2 norm of the gradient of row r over all trained parameters, exact; of most layers
  /// on rows without forming any per-example gradient. Of tied layers the gradients of a row are added up before, as
  /// they are where they count. Call after `backward`.
  ///
  /// ByLayer   norms[k * rows + r] is that of the k-th layer with parameters alone
  template <class Arch = simd::default_arch, bool ByLayer = false, class T>
  void squared_norms(std::size_t rows, const T* x, tape<T>& memory, std::span<T> norms) const;

  /// Multiplies the deltas of row r by coefficients[r]. A row with coefficient 0 is masked: its
  /// deltas, activations and input are replaced by zeros through a select, so that a row that
  /// holds NaN or infinity leaves no trace in the sum. Of layers on lanes, of those that weigh and
  /// of tied ones, the gradients themselves are multiplied where they are added up.
  ///
  /// ByLayer   those of the k-th layer with parameters by coefficients[k * rows + r]
  /// Timing    a chunk in which some row is masked takes longer
  template <class Arch = simd::default_arch, bool ByLayer = false, class T>
  void weigh(std::size_t rows, T* x, tape<T>& memory, std::span<const T> coefficients) const {
    bool masked = false;
    for (std::size_t r = 0; r < rows; ++r) masked |= coefficients[r] == T{};
    const auto mask = [&](T* values, std::size_t width) {
      for (std::size_t r = 0; masked && r < rows; ++r)
        select_row<Arch>(std::span<T>(values + r * width, width), coefficients[r]);
    };
    mask(x, in_width());
    for (std::size_t i = 0; i < depth(); ++i) {
      const T* const own = coefficients.data() + (ByLayer ? places_[i].rank * rows : 0);
      if (places_[i].lanes) { // the coefficients wait for the sum over the lanes
        if (!places_[i].parametric) continue;
        T* const weights = memory.weights(i);
        for (std::size_t r = 0; r < blocks_of(rows) * simd::lane_block; ++r)
          weights[r] = r >= rows ? T{} : memory.weighed ? weights[r] * own[r] : own[r];
        continue;
      }
      if (places_[i].turns) mask(memory.entry(i), places_[i].in);
      if (places_[i].in_place || places_[i].branches) continue; // the same memory, or read by no sum
      mask(memory.written(i), places_[i].out);
      mask(memory.written_delta(i), places_[i].out);
      if (!places_[i].parametric) continue;
      if (places_[i].weighs) {
        T* const weights = memory.weights(i);
        for (std::size_t r = 0; r < rows; ++r) weights[r] = memory.weighed ? weights[r] * own[r] : own[r];
        layers_.visit(i, [&]<class L>(const L& layer) {
          if constexpr (keeps_rows<L>) {
            T* kept = memory.kept_rows(i);
            for (const std::size_t width : layer.kept_widths()) {
              mask(kept, width);
              kept += rows * width;
            }
          }
        });
        continue;
      }
      simd::scale_rows<Arch>(rows, places_[i].out, own, memory.written_delta(i));
    }
    memory.weighed = true;
  }

  /// gradient += sum over rows of the per-example gradients (of the deltas as they stand).
  template <class Arch = simd::default_arch, class T>
  void accumulate(std::size_t rows, const T* x, tape<T>& memory, std::span<T> gradient) const;

  /// p -= scale * sum over rows of the per-example gradients. Most layers never write the gradient
  /// down; for the others there is `room` for the largest.
  template <class Arch = simd::default_arch, class T>
  void descend(std::size_t rows, const T* x, tape<T>& memory, T scale, std::span<T> room,
               std::span<T> p) const;

  /// The sum over rows of the per-example gradients, piece by piece in `room`, which is as large as
  /// `piece_size()` says or larger: f(offset, piece) for pieces that cover all parameters.
  template <class Arch = simd::default_arch, class T>
  void piecewise(std::size_t rows, const T* x, tape<T>& memory, std::span<T> room,
                 std::type_identity_t<function_ref<void(std::size_t, std::span<T>)>> f) const;
  std::size_t piece_size() const {
    std::size_t most = 0;
    for_each_parametric([&]<class L>(std::size_t i, const L& layer) {
      if constexpr (in_lanes<L>) // any piece of lanes can be added up alone
        most = std::max<std::size_t>(most, places_[i].tied ? places_[i].size : 1);
      else if constexpr (requires { layer.piece_size(); })
        most = std::max(most, places_[i].tied ? places_[i].size : layer.piece_size());
      else
        most = std::max(most, places_[i].size);
    });
    return most;
  }

  /// Fills the parameters layer by layer; `fill(weights, fan_in, fan_out)` fills those of one.
  template <class T, class Fill>
  void initialise(parameters<T>& p, Fill&& fill) const {
    for_each_parametric([&](std::size_t i, const auto& layer) {
      if (owns(i)) layer.initialise(p.trained().subspan(places_[i].offset, places_[i].size), fill);
    });
  }

  /// Every tensor as files name it: `<layer index>.<name>`, offsets into the trained parameters. Those of tied layers
  /// have the name of the first.
  std::vector<named_tensor> tensors() const {
    std::vector<named_tensor> all;
    for_each_parametric([&](std::size_t i, const auto& layer) {
      if (!owns(i)) return;
      for (auto tensor : layer.tensors()) {
        tensor.name = concat(i, '.', tensor.name);
        tensor.offset += places_[i].offset;
        all.push_back(std::move(tensor));
      }
    });
    return all;
  }

  bool mixes_examples(mode m) const {
    bool mixes = false;
    layers_.for_each([&](const auto& layer) { mixes = mixes || layer.mixes_examples(m); });
    return mixes;
  }

 private:
  struct place {
    std::size_t in, out, offset, size;
    bool in_place;   ///< overwrites the output of the layer before
    bool fuses;      ///< takes an activation along
    bool parametric; ///< a ParametricLayer
    bool local;      ///< never leaves the device
    bool lanes;      ///< its output lies in lanes
    bool turns;      ///< what it reads is written the other way
    bool joins;      ///< adds what layer `second` reads to what it reads
    bool branches;   ///< reads what layer `second` reads
    bool forks;      ///< what it reads is read again
    std::size_t second;
    std::size_t kept;     ///< scalars of each row that it keeps beside its output
    bool weighs;          ///< its sums multiply by coefficients themselves, or those of its tie do
    std::size_t origin;   ///< the first layer that reads its parameters
    bool tied = false;    ///< others read them too
    std::size_t rank = 0; ///< how many layers with parameters of their own are before its origin
  };

  /// Resolves widths and offsets. Throws N003 where two neighbours do not fit, N001 for a layer whose
  /// parameters nobody could train or whose output nobody reads.
  void measure() {
    require(layers_.size() > 0, fault::argument, "sequential: no layers");
    const std::vector<bool> again = read_again();
    std::size_t width = dynamic, index = 0;
    layers_.for_each([&]<class L>(const L& layer) {
      if constexpr (requires { layer.check(); }) layer.check();
      if (width == dynamic) width = first_width(layer);
      require(layer.accepts(width), fault::shape, "layer ", index, " cannot read rows ", width,
              " wide, which is what the layer before it writes");
      std::size_t second = 0;
      if constexpr (is_join<L> || is_branch<L>) second = index + 1 - layer.back;
      std::size_t out = layer.out_width(width);
      const std::size_t size = layer.size(width);
      if constexpr (is_branch<L>) out = places_[second].in;
      if constexpr (is_join<L>)
        require(places_[second].in == width, fault::shape, "layer ", index, " adds rows ", places_[second].in,
                " wide, which is what layer ", second, " reads, to rows ", width,
                " wide, which is what the layer before it writes");
      require(ParametricLayer<L> || size == 0, fault::argument, "layer ", index, " reads ", size,
              " parameters, but is no ParametricLayer: they would never be trained or saved");
      require(width <= widest_layer && out <= widest_layer, fault::argument, "layer ", index, " is ", width,
              " by ", out, ", at most ", widest_layer, " wide is possible");
      if constexpr (requires { requires L::only_first; })
        require(index == 0, fault::argument, "layer ", index,
                " reads the rows of the network, and so can only be its first layer");
      std::size_t kept = 0;
      if constexpr (keeps_rows<L>)
        for (const std::size_t n : layer.kept_widths()) kept += n;
      if constexpr (requires { layer.kept_in_lanes(); }) kept = layer.kept_in_lanes();
      // What an activation overwrites must not be read again: an activation's own output is.
      const bool forks = !again.empty() && again[index];
      const bool in_place = (Activation<L> || is_join<L>)&&index > 0 && places_.back().fuses && !forks;
      // An activation works on either layout, and takes what it finds.
      const bool before = index > 0 && places_.back().lanes;
      bool lanes = is_join<L> ? before : in_lanes<L>;
      if constexpr (is_branch<L>) lanes = in_one_run(second, index);
      if constexpr (Activation<L>) lanes = found_layout(index, before, again);
      places_.push_back({width, out, 0, size, in_place, Fusing<L>, ParametricLayer<L>, false, lanes,
                         !is_branch<L> && lanes != before, is_join<L>, is_branch<L>, forks, second, kept,
                         weighs_rows<L>, index});
      width = out;
      ++index;
    });
    check_paths();
    place_parameters();
  }

  /// Which layers read something that a later one reads again; empty where none can. Throws N001 for a way back that
  /// leads nowhere.
  std::vector<bool> read_again() const {
    std::vector<bool> again;
    if constexpr (detail::with_branches<List>) {
      again.resize(layers_.size());
      std::size_t index = 0;
      layers_.for_each([&]<class L>(const L& layer) {
        if constexpr (is_join<L> || is_branch<L>) {
          require(layer.back >= 2 && layer.back <= index + 1, fault::argument, "layer ", index, " goes back ",
                  layer.back, ", possible is 2 to ", index + 1);
          again[index + 1 - layer.back] = true;
        }
        ++index;
      });
    }
    return again;
  }

  /// Whether an activation works on lanes: on what it finds; where paths part, on what the layers behind it like, so
  /// that rows turn before.
  bool found_layout(std::size_t i, bool before, const std::vector<bool>& again) const {
    bool lanes = before;
    if constexpr (detail::with_branches<List>) {
      std::size_t index = 0;
      bool known = !again[i];
      layers_.for_each([&]<class L>(const L&) {
        if (index++ < i || known || Activation<L> || is_join<L> || is_branch<L>) return;
        known = true;
        lanes = in_lanes<L>;
      });
    }
    return lanes;
  }

  /// Whether what layer i reads lies in lanes as it reads it.
  bool reads_lanes(std::size_t i) const noexcept {
    return places_[i].branches ? places_[i - 1].lanes : places_[i].lanes;
  }
  /// Whether a join or a branch takes what it reads from further back in the layout in which the layer there reads it.
  bool as_read(std::size_t i) const noexcept { return reads_lanes(places_[i].second) == places_[i].lanes; }
  /// Whether all layers from `first` up to `end` are run on lanes, block by block.
  bool in_one_run(std::size_t first, std::size_t end) const noexcept {
    while (first < end && reads_lanes(first) && places_[first].lanes) ++first;
    return first == end;
  }

  /// Throws N001 for an output that nobody reads, N011 for paths that part on rows and meet on lanes or the other way
  /// round, or on lanes with layers on rows between.
  void check_paths() const {
    if constexpr (detail::with_branches<List>)
      for (std::size_t i = 0; i < depth(); ++i) {
        const place& p = places_[i];
        if (!p.joins && !p.branches) continue;
        require(!p.branches || (p.forks && i + 1 < depth()), fault::argument, "layer ", i,
                " begins another path: nobody reads what ", i + 1 < depth() ? "the layer before it" : "it",
                " writes");
        const bool meet = p.lanes ? in_one_run(p.second, i) : as_read(i) || places_[p.second].turns;
        require(meet, fault::unsupported, "layer ", i, " reads what layer ", p.second,
                " reads: between them rows turn into lanes of examples that the two do not share");
      }
  }

  void place_parameters() {
    sizes_ = {};
    for (std::size_t i = 0; i < depth(); ++i)
      if (origin(i) == i) (places_[i].local ? sizes_.local : sizes_.shared) += places_[i].size;
    std::size_t shared = 0, local = sizes_.shared, rank = 0;
    for (std::size_t i = 0; i < depth(); ++i) {
      place& p = places_[i];
      if (const place& first = places_[p.origin]; p.origin != i) {
        p.local = first.local, p.offset = first.offset, p.rank = first.rank;
        continue;
      }
      auto& next = p.local ? local : shared;
      p.offset = next;
      next += p.size;
      p.rank = rank;
      rank += p.parametric;
    }
  }

  std::size_t scratch(std::size_t capacity) const {
    std::size_t most = 0;
    layers_.for_each([&](const auto& layer) {
      if constexpr (requires { layer.scratch(capacity); }) most = std::max(most, layer.scratch(capacity));
    });
    return most;
  }
  template <class T>
  std::vector<typename tape<T>::block> tape_blocks(passes of) const {
    std::vector<typename tape<T>::block> blocks;
    for (const auto& p : places_)
      blocks.push_back({p.out, p.in_place, p.lanes, p.turns ? p.in : 0, p.lanes && p.parametric ? p.size : 0,
                        p.branches, p.kept, p.weighs && !p.lanes, room_of_tie(p)});
    if (of == passes::forward) mark_readers(blocks);
    return blocks;
  }
  /// Notes the last layer that reads each output. Layers on lanes run together, block by block: what they read from
  /// before them is read again for each block, and what they leave in rows is written for each.
  template <class Block>
  void mark_readers(std::vector<Block>& blocks) const {
    std::size_t first = 0; // of the layers on lanes around layer i
    for (std::size_t i = 0; i < depth(); ++i) {
      if (i == 0 || !places_[i].lanes || !places_[i - 1].lanes) first = i;
      blocks[i].until = i;
      blocks[i].entry_until = blocks[i].entry_from = i;
      // A layer on rows behind lanes reads what they left.
      if (places_[i].turns && !places_[i].lanes)
        for (std::size_t& from = blocks[i].entry_from; from > 0 && places_[from - 1].lanes;) --from;
      const std::size_t last = places_[i].lanes ? end_of_lanes(i) - 1 : i;
      const auto reads_output = [&](std::size_t owner) {
        while (places_[owner].in_place) --owner;
        blocks[owner].until = std::max(blocks[owner].until, owner >= first ? i : last);
      };
      const auto reads = [&](std::size_t layer, bool handed, const auto& self) -> void {
        if (!handed && places_[layer].turns)
          blocks[layer].entry_until = std::max(blocks[layer].entry_until, layer >= first ? i : last);
        else if (layer > 0 && places_[layer - 1].branches)
          self(places_[layer - 1].second, !as_read(layer - 1), self);
        else if (layer > 0)
          reads_output(layer - 1);
      };
      if (places_[i].turns) reads(i, true, reads);
      reads(i, false, reads);
      if (places_[i].joins) reads(places_[i].second, !as_read(i), reads);
    }
    std::size_t owner = depth() - 1;
    while (places_[owner].in_place) --owner;
    blocks[owner].until = depth();
  }

  template <class L>
  static std::size_t first_width(const L& layer) {
    const auto width = detail::own_in_width(layer);
    require(width.has_value(), fault::argument,
            "sequential: the first layer must know the width of the rows it reads");
    return *width;
  }

  /// Whether layer i has parameters and is the first that reads them.
  bool owns(std::size_t i) const noexcept { return places_[i].parametric && origin(i) == i; }

  template <class F>
  void for_each_parametric(F&& f) const {
    for (std::size_t i = 0; i < depth(); ++i)
      layers_.visit(i, [&]<class L>(const L& layer) {
        if constexpr (ParametricLayer<L>) f(i, layer);
      });
  }

  /// Whether layer i is an activation that the layer before it takes along.
  bool fused(std::size_t i) const noexcept { return i < depth() && places_[i].in_place && !places_[i].joins; }

  /// Calls f(place, layer) for the layers of a tie, in order.
  template <class F>
  void for_each_tied(std::size_t first, F&& f) const {
    for (std::size_t i = first; i < depth(); ++i)
      if (origin(i) == first)
        layers_.visit(i, [&]<class L>(const L& layer) {
          if constexpr (ParametricLayer<L>) f(i, layer);
        });
  }
  /// What layers have to have in common to be tied.
  std::string tensors_text(std::size_t i) const {
    std::string text;
    layers_.visit(i, [&]<class L>(const L& layer) {
      if constexpr (ParametricLayer<L>)
        for (const auto& tensor : layer.tensors())
          text += concat(text.empty() ? "" : ", ", tensor.name, ' ', shape_text(tensor.shape));
    });
    return text + (places_[i].lanes ? " on lanes" : "");
  }

  /// So many squares are added one after another; then the sums.
  static constexpr std::size_t squared_at_once = 2048;

  /// Scalars in which the gradients of one example, or of the lanes of one block, are formed, and what a layer keeps of
  /// one example.
  static std::size_t room_of_tie(const place& p) noexcept {
    return !p.tied ? 0 : p.lanes ? 3 * p.size * simd::lane_block : p.size + p.kept;
  }
  /// The call on row r alone of a layer on rows; what it keeps is copied to `kept`.
  template <class L, class T>
  layer_rows<T> row_call(const L& layer, std::size_t i, std::size_t r, std::size_t rows, const T* x,
                         tape<T>& memory, T* kept) const {
    layer_rows<T> row = call(i, rows, x, memory);
    if constexpr (keeps_rows<L>) {
      const T* from = row.kept;
      row.kept = kept;
      for (const std::size_t width : layer.kept_widths()) {
        kept = std::copy_n(from + r * width, width, kept);
        from += rows * width;
      }
    }
    row.rows = 1;
    row.input += r * row.in, row.output += r * row.out;
    row.coefficients = nullptr;
    return row;
  }
  /// The gradient of one example over all uses of the parameters of layer `first`: of row `at` or, on lanes, of the
  /// examples of block `at`. The same numbers for norms and for sums, so that uses may cancel.
  template <class Arch, class T>
  const T* tied_gradient(std::size_t first, std::size_t at, std::size_t rows, const T* x,
                         tape<T>& memory) const {
    const std::size_t size = places_[first].size;
    T* const sum = memory.gradient() + (places_[first].lanes ? size * simd::lane_block : 0);
    std::fill_n(sum, places_[first].lanes ? size * simd::lane_block : size, T{});
    for_each_tied(first, [&]<class L>(std::size_t i, const L& layer) {
      if constexpr (in_lanes<L>) {
        simd::add_lanes<Arch>(size, lane_gradients<Arch>(layer, i, at, x, memory),
                              static_cast<const T*>(nullptr), sum);
      } else {
        layer.template accumulate<Arch>(row_call(layer, i, at, rows, x, memory, sum + size),
                                        static_cast<const T*>(memory.written_delta(i) + at * places_[i].out),
                                        std::span<T>(sum, size));
      }
    });
    return sum;
  }
  template <class Arch, class T>
  void add_tied_squares(std::size_t first, std::size_t rows, const T* x, tape<T>& memory,
                        std::span<T> norms) const {
    const std::size_t size = places_[first].size;
    if (places_[first].lanes) {
      for (std::size_t b = 0; b < blocks_of(rows); ++b)
        add_block_squares<Arch>(size, b, tied_gradient<Arch>(first, b, rows, x, memory), norms);
      return;
    }
    for (std::size_t r = 0; r < rows; ++r) {
      const std::span<const T> g(tied_gradient<Arch>(first, r, rows, x, memory), size);
      T sum = static_cast<T>(size) * std::numeric_limits<T>::min(); // where squares underflow
      for (std::size_t i = 0; i < size; i += squared_at_once)
        sum += simd::sum_squares<Arch>(g.subspan(i, std::min(squared_at_once, size - i)));
      norms[r] += sum;
    }
  }
  /// to += the sum over rows of the gradients of the parameters of layer `first`.
  template <class Arch, class T>
  void add_tied(std::size_t first, std::size_t rows, const T* x, tape<T>& memory, std::span<T> to) const {
    if (!memory.weighed)
      return for_each_tied(first, [&](std::size_t i, const auto& layer) {
        add_gradient<Arch>(layer, i, rows, x, memory, to);
      });
    const T* const weights = memory.weights(first);
    if (!places_[first].lanes) {
      for (std::size_t r = 0; r < rows; ++r)
        simd::axpy<Arch>(weights[r],
                         std::span<const T>(tied_gradient<Arch>(first, r, rows, x, memory), to.size()), to);
      return;
    }
    T* const total = memory.gradient() + 2 * to.size() * simd::lane_block;
    std::fill_n(total, to.size() * simd::lane_block, T{});
    for (std::size_t b = 0; b < blocks_of(rows); ++b)
      simd::add_lanes<Arch>(to.size(), tied_gradient<Arch>(first, b, rows, x, memory),
                            weights + b * simd::lane_block, total);
    simd::sum_lanes<Arch>(to.size(), 1, static_cast<const T*>(total), 0, static_cast<const T*>(nullptr),
                          to.data(), simd::add{});
  }
  template <class Arch, class T>
  void whole_tied(std::size_t first, std::size_t rows, const T* x, tape<T>& memory, std::span<T> to) const {
    std::ranges::fill(to, T{});
    add_tied<Arch>(first, rows, x, memory, to);
  }

  /// norms += the squared norms of the examples of block b.
  template <class Arch, class T>
  static void add_block_squares(std::size_t size, std::size_t b, const T* gradients, std::span<T> norms) {
    alignas(64) T squares[simd::lane_block] = {};
    simd::add_lane_squares<Arch>(size, gradients, squares);
    const std::size_t first = b * simd::lane_block;
    for (std::size_t r = first; r < std::min(norms.size(), first + simd::lane_block); ++r)
      norms[r] += squares[r - first];
  }
  /// to += the sum over rows of the gradients of one layer.
  template <class Arch, class L, class T>
  void add_gradient(const L& layer, std::size_t i, std::size_t rows, const T* x, tape<T>& memory,
                    std::span<T> to) const {
    if constexpr (in_lanes<L>)
      sum_lanes<Arch>(layer, i, rows, x, memory, 0, to, simd::add{});
    else
      layer.template accumulate<Arch>(call(i, rows, x, memory),
                                      static_cast<const T*>(memory.written_delta(i)), to);
  }

  template <class Arch, class L, class T>
  static void whole_gradient(const L& layer, const layer_rows<T>& rows_of, const T* dy, std::span<T> room) {
    std::ranges::fill(room, T{});
    layer.template accumulate<Arch>(rows_of, dy, room);
  }

  template <class T>
  std::span<const T> slice(std::span<const T> p, std::size_t i) const {
    return p.subspan(places_[i].offset, places_[i].size);
  }
  template <class T>
  const T* input(std::size_t i, const T* x, tape<T>& memory) const {
    if (places_[i].turns) return memory.entry(i);
    return handed(i, x, memory);
  }
  /// What the layer before layer i hands on, as that lies.
  template <class T>
  const T* handed(std::size_t i, const T* x, tape<T>& memory) const {
    if constexpr (detail::with_branches<List>)
      if (i > 0 && places_[i - 1].branches) return second_input(i - 1, x, memory);
    return i == 0 ? x : memory.written(i - 1);
  }
  /// What a join or a branch reads from further back: as the layer there reads it, or as it was handed to that one.
  template <class T>
  const T* second_input(std::size_t i, const T* x, tape<T>& memory) const {
    const std::size_t from = places_[i].second;
    return as_read(i) ? input(from, x, memory) : handed(from, x, memory);
  }
  template <class T>
  layer_rows<T> call(std::size_t i, std::size_t rows, const T* x, tape<T>& memory) const {
    return {rows,
            places_[i].in,
            places_[i].out,
            input(i, x, memory),
            memory.written(i),
            memory.scratch(),
            nullptr,
            places_[i].kept > 0 ? memory.kept_rows(i) : nullptr,
            places_[i].weighs && memory.weighed ? memory.weights(i) : nullptr};
  }
  /// The call on one block of a layer on lanes.
  template <class T>
  layer_rows<T> block_call(std::size_t i, std::size_t b, const T* x, tape<T>& memory) const {
    layer_rows<T> block = call(i, simd::lane_block, x, memory);
    block.input = in_block(b, block.in, block.input);
    block.output = in_block(b, block.out, block.output);
    if (block.kept) block.kept = in_block(b, places_[i].kept, block.kept);
    if (const T* const gradient = memory.kept(i)) block.gradient = in_block(b, places_[i].size, gradient);
    block.coefficients = nullptr; // those wait for the sum over the lanes
    return block;
  }

  /// Runs layer i on all rows or, on lanes, on block b, and the activation behind it that it takes along; returns
  /// the next layer.
  template <class Arch, class T>
  std::size_t forward_one(std::span<const T> p, std::size_t i, std::size_t b, std::size_t rows, const T* x,
                          const T* from, T* to, tape<T>& memory, layer_context context) const {
    context.layer = static_cast<std::uint32_t>(i);
    const auto run = [&]<class L>(const L& layer, const auto&... finish) {
      const std::size_t in = places_[i].in, out = places_[i].out;
      if constexpr (is_join<L>)
        layer.template forward<Arch>(slice(p, i),
                                     layer_rows<T>{rows, in, out, from, to, memory.scratch(),
                                                   in_block(b, in, second_input(i, x, memory))},
                                     to, context, finish...);
      else if constexpr (keeps_rows<L>)
        layer.template forward<Arch>(slice(p, i), call(i, rows, x, memory), to, context);
      else if constexpr (in_lanes<L>)
        layer.template forward<Arch>(slice(p, i), block_call(i, b, x, memory), to, context, finish...);
      else
        layer.template forward<Arch>(slice(p, i), rows, in, out, from, to, context, finish...);
    };
    if (!fused(i + 1)) {
      layers_.visit(i, run);
      return i + 1;
    }
    layers_.visit_pair(i, [&]<class L, class Next>(const L& layer, const Next&) {
      if constexpr (Fusing<L> && Identity<Next>)
        run(layer);
      else if constexpr (Fusing<L> && Activation<Next>)
        run(layer, [](const auto& y) { return Next::apply(y); });
    });
    return i + 2;
  }

  /// dx = the delta of what layer i reads, and of the activation before it where that is taken along: then true.
  template <class Arch, class T>
  bool backward_one(std::span<const T> p, std::size_t i, [[maybe_unused]] std::size_t b,
                    const layer_rows<T>& rows_of, const T* dy, T* dx, [[maybe_unused]] tape<T>& memory,
                    layer_context context) const {
    context.layer = static_cast<std::uint32_t>(i);
    if constexpr (detail::with_branches<List>)
      if (places_[i].forks) return backward_fork<Arch>(p, i, b, rows_of, dy, dx, memory, context);
    const auto run = [&](const auto& layer, const auto&... finish) {
      layer.template backward<Arch>(slice(p, i), rows_of, dy, dx, context, finish...);
    };
    bool along = false;
    if (places_[i - 1].in_place)
      layers_.visit_pair(i - 1, [&]<class Before, class L>(const Before&, const L& layer) {
        if constexpr (Activation<Before> && Fusing<L>) {
          along = true;
          if constexpr (Identity<Before>)
            run(layer);
          else
            run(layer, [](const auto& d, const auto& y) { return Before::derivative(d, y); });
        }
      });
    if (!along) layers_.visit(i, run);
    return along;
  }

  /// Whether layer k hands the delta of what layer i reads back to there.
  bool comes_back(std::size_t k, std::size_t i) const noexcept {
    return (places_[k].joins || places_[k].branches) && places_[k].second == i;
  }
  /// Adds the deltas of those who read in rows what layer i turns into lanes.
  template <class Arch, class T>
  void add_later(std::size_t i, std::size_t first, std::size_t rows, tape<T>& memory) const {
    const std::size_t width = places_[i].in;
    for (std::size_t k = i + 1; k < depth(); ++k)
      if (comes_back(k, i) && !as_read(k))
        simd::axpy<Arch>(T{1}, std::span<const T>(memory.written_delta(k) + first * width, rows * width),
                         std::span<T>(memory.written_delta(i - 1) + first * width, rows * width));
  }

  /// As `backward_one` where others read what layer i reads: to its delta come those of the others, the first one
  /// first, and then the activation's derivative, in one pass with the last of them.
  template <class Arch, class T>
  bool backward_fork(std::span<const T> p, std::size_t i, std::size_t b, const layer_rows<T>& rows_of,
                     const T* dy, T* dx, tape<T>& memory, layer_context context) const {
    const std::size_t count = rows_of.rows * rows_of.in;
    bool empty = places_[i].branches; // it hands nothing back to the layer before it
    if (!empty)
      layers_.visit(i, [&](const auto& layer) {
        layer.template backward<Arch>(slice(p, i), rows_of, dy, dx, context);
      });
    const T* last = nullptr;
    const auto add = [&](const auto& finish) {
      simd::for_each_batch<Arch, T>(count, [&](std::size_t at, auto lanes) {
        auto d = simd::load_lanes<Arch>(last + at, lanes);
        if (!empty) d = simd::load_lanes<Arch>(static_cast<const T*>(dx + at), lanes) + d;
        simd::store_lanes<Arch, T>(dx + at, finish(d, at, lanes), lanes);
      });
      empty = false;
    };
    bool later = false; // some add theirs to the delta of what this layer was handed
    for (std::size_t k = i + 1; k < depth(); ++k) {
      if (!comes_back(k, i)) continue;
      if (!as_read(k)) {
        later = true;
        continue;
      }
      if (last) add([](const auto& d, std::size_t, auto) { return d; });
      last = memory.written_delta(k);
      if (places_[k].lanes) last = memory.delta_block(b, rows_of.in, memory.written_delta(k));
    }
    if (later) {
      if (last) add([](const auto& d, std::size_t, auto) { return d; });
      return false;
    }
    bool along = false;
    layers_.visit(i - 1, [&]<class Before>(const Before&) {
      if constexpr (Activation<Before>) along = places_[i - 1].in_place;
      if constexpr (Activation<Before> && !Identity<Before>)
        if (along)
          return add([&](const auto& d, std::size_t at, auto lanes) {
            return Before::derivative(d, simd::load_lanes<Arch>(rows_of.input + at, lanes));
          });
      add([](const auto& d, std::size_t, auto) { return d; });
    });
    return along;
  }

  /// From layer `top` down through all layers on lanes, a block at a time; returns the last one that is done.
  template <class Arch, class T>
  std::size_t backward_lanes(std::span<const T> p, std::size_t top, std::size_t rows, const T* x,
                             tape<T>& memory, layer_context context) const {
    const std::size_t end = end_of_lanes(top);
    std::size_t first = top; // of the layers on lanes
    while (first > 0 && places_[first - 1].lanes) --first;
    const T* const came = end == depth() ? memory.delta(end - 1) : memory.entry_delta(end);
    std::size_t done = first;
    for (std::size_t b = 0; b < blocks_of(rows); ++b) {
      const std::size_t width = places_[end - 1].out;
      into_lanes<Arch>(b, rows, width, came, memory.delta_block(b, width, memory.written_delta(end - 1)));
      for (std::size_t i = top;; --i) {
        const auto block = block_call(i, b, x, memory);
        const T* const dy = memory.delta_block(b, places_[i].out, memory.written_delta(i));
        layers_.visit(i, [&]<class L>(const L& layer) {
          if constexpr (in_lanes<L> && ParametricLayer<L>)
            if (T* const kept = memory.kept(i))
              layer.template lane_gradients<Arch>(block, dy, in_block(b, places_[i].size, kept));
        });
        if (i == 0) break;
        T* const dx = memory.delta_block(b, places_[i].in,
                                         i == first ? memory.entry_delta(i) : memory.written_delta(i - 1));
        const bool along = backward_one<Arch>(p, i, b, block, dy, dx, memory, context);
        if (i == first) {
          out_of_lanes<Arch>(b, rows, places_[i].in, dx, memory.written_delta(i - 1));
          if constexpr (detail::with_branches<List>)
            if (places_[i].forks)
              add_later<Arch>(i, b * simd::lane_block,
                              std::min(simd::lane_block, rows - b * simd::lane_block), memory);
          if (along) done = first - 1;
          break;
        }
        if (along) --i;
      }
    }
    return done;
  }

  std::size_t end_of_lanes(std::size_t i) const noexcept {
    while (i < depth() && places_[i].lanes) ++i;
    return i;
  }
  static std::size_t blocks_of(std::size_t rows) noexcept {
    return (rows + simd::lane_block - 1) / simd::lane_block;
  }
  template <class T>
  static T* in_block(std::size_t b, std::size_t width, T* lanes) noexcept {
    return lanes + b * width * simd::lane_block;
  }
  /// One block of rows as lanes, those behind the last row zero; and back.
  template <class Arch, class T>
  static void into_lanes(std::size_t b, std::size_t rows, std::size_t width, const T* from, T* block) {
    const std::size_t first = b * simd::lane_block;
    simd::turn<Arch>(std::min(simd::lane_block, rows - first), width, from + first * width, block,
                     simd::lane_block);
  }
  template <class Arch, class T>
  static void out_of_lanes(std::size_t b, std::size_t rows, std::size_t width, const T* block, T* to) {
    const std::size_t first = b * simd::lane_block;
    simd::turn_back<Arch>(width, std::min(simd::lane_block, rows - first), block, simd::lane_block,
                          to + first * width, width);
  }

  /// The gradient of each example of a block, to `to`; added to it where a layer can and is told that it is not fresh.
  template <class Arch, class L, class T, class... Fresh>
  void form_lane_gradients(const L& layer, std::size_t i, std::size_t b, const T* x, tape<T>& memory, T* to,
                           Fresh... fresh) const
    requires requires(layer_rows<T> block, const T* dy) {
      layer.template lane_gradients<Arch>(block, dy, to, fresh...);
    }
  {
    layer.template lane_gradients<Arch>(
        block_call(i, b, x, memory),
        static_cast<const T*>(memory.delta_block(b, places_[i].out, memory.written_delta(i))), to, fresh...);
  }

  /// The same: the one that backward kept, or made anew.
  template <class Arch, class L, class T>
  const T* lane_gradients(const L& layer, std::size_t i, std::size_t b, const T* x, tape<T>& memory) const {
    if (const T* const kept = memory.kept(i)) return in_block(b, places_[i].size, kept);
    form_lane_gradients<Arch>(layer, i, b, x, memory, memory.gradient());
    return memory.gradient();
  }

  /// The weighed sum over rows for parameters first ... of layer i, to `to` as `how` says. Gradients that were not
  /// kept are made for the first piece, and stay for the next ones.
  template <class Arch, class L, class T, class How>
  void sum_lanes(const L& layer, std::size_t i, std::size_t rows, const T* x, tape<T>& memory,
                 std::size_t first, std::span<T> to, How how) const {
    const std::size_t size = places_[i].size;
    const T* const weights = memory.weighed ? memory.weights(i) : nullptr;
    if (const T* const kept = memory.kept(i)) {
      simd::sum_lanes<Arch>(to.size(), blocks_of(rows), kept + first * simd::lane_block,
                            size * simd::lane_block, weights, to.data(), how);
      return;
    }
    T* const total = memory.gradient() + size * simd::lane_block;
    if (first == 0) {
      for (std::size_t b = 0; b < blocks_of(rows); ++b) {
        if constexpr (requires { form_lane_gradients<Arch>(layer, i, b, x, memory, total, true); })
          if (!weights) {
            form_lane_gradients<Arch>(layer, i, b, x, memory, total, b == 0);
            continue;
          }
        if (b == 0) std::fill_n(total, size * simd::lane_block, T{});
        simd::add_lanes<Arch>(size, lane_gradients<Arch>(layer, i, b, x, memory),
                              weights ? weights + b * simd::lane_block : nullptr, total);
      }
    }
    simd::sum_lanes<Arch>(to.size(), 1, static_cast<const T*>(total) + first * simd::lane_block, 0,
                          static_cast<const T*>(nullptr), to.data(), how);
  }

  /// The row, or zeros where `keep` is zero.
  template <class Arch, class T>
  static void select_row(std::span<T> row, T keep) {
    const auto zero = simd::broadcast<Arch>(T{}), c = simd::broadcast<Arch>(keep);
    simd::for_each_batch<Arch, T>(row.size(), [&](std::size_t j, auto n) {
      simd::store_lanes<Arch, T>(row.data() + j,
                                 simd::select(c == zero, zero, simd::load_lanes<Arch>(row.data() + j, n)), n);
    });
  }

  List layers_;
  std::vector<place> places_;
  group_sizes sizes_;
};

// Defined here so that what `network` needs of them can be compiled once (nn/network.hpp).

template <class List>
template <class Arch, class T>
void layer_stack<List>::forward(std::span<const T> p, std::size_t rows, const T* x, tape<T>& memory,
                                layer_context context) const {
  memory.weighed = false;
  for (std::size_t i = 0; i < depth();) {
    if (!places_[i].lanes) {
      i = forward_one<Arch>(p, i, 0, rows, x, input(i, x, memory), memory.written(i), memory, context);
      continue;
    }
    // A block at a time through all layers on lanes, so that what one writes the next finds in cache.
    const std::size_t end = end_of_lanes(i), width = places_[end - 1].out;
    T* const leaves = end == depth() ? memory.output(end - 1) : memory.entry(end);
    for (std::size_t b = 0; b < blocks_of(rows); ++b) {
      into_lanes<Arch>(b, rows, places_[i].in, handed(i, x, memory),
                       in_block(b, places_[i].in, memory.entry(i)));
      for (std::size_t l = i; l < end;)
        l = forward_one<Arch>(p, l, b, simd::lane_block, x, in_block(b, places_[l].in, input(l, x, memory)),
                              in_block(b, places_[l].out, memory.written(l)), memory, context);
      out_of_lanes<Arch>(b, rows, width, in_block(b, width, memory.written(end - 1)), leaves);
    }
    i = end;
  }
}

template <class List>
template <class Arch, class T>
void layer_stack<List>::backward(std::span<const T> p, std::size_t rows, const T* x, tape<T>& memory,
                                 layer_context context) const {
  memory.weighed = false;
  for (std::size_t i = depth(); i > 0;) {
    --i; // the delta of its output is known
    if (places_[i].lanes) {
      i = backward_lanes<Arch>(p, i, rows, x, memory, context);
    } else if (i > 0) {
      T* const dx = places_[i].turns ? memory.entry_delta(i) : memory.written_delta(i - 1);
      if (backward_one<Arch>(p, i, 0, call(i, rows, x, memory), memory.written_delta(i), dx, memory, context))
        --i;                          // the activation's delta is the one of the layer below it
    } else if (places_[i].kept > 0) { // its sums read what backward keeps
      layers_.visit(i, [&]<class L>(const L& layer) {
        if constexpr (keeps_rows<L>)
          layer.template backward<Arch>(slice(p, i), call(i, rows, x, memory),
                                        static_cast<const T*>(memory.written_delta(i)),
                                        static_cast<T*>(nullptr), context);
      });
    }
  }
}

template <class List>
template <class Arch, bool ByLayer, class T>
void layer_stack<List>::squared_norms(std::size_t rows, const T* x, tape<T>& memory,
                                      std::span<T> norms) const {
  std::ranges::fill(ByLayer ? norms : norms.first(rows), T{});
  for_each_parametric([&]<class L>(std::size_t i, const L& layer) {
    const auto own = norms.subspan(ByLayer ? places_[i].rank * rows : 0, rows);
    if constexpr (detail::with_ties<List>)
      if (places_[i].tied) {
        if (owns(i)) add_tied_squares<Arch>(i, rows, x, memory, own);
        return;
      }
    if constexpr (in_lanes<L>)
      for (std::size_t b = 0; b < blocks_of(rows); ++b)
        add_block_squares<Arch>(places_[i].size, b, lane_gradients<Arch>(layer, i, b, x, memory), own);
    else
      layer.template add_squared_norms<Arch>(call(i, rows, x, memory),
                                             static_cast<const T*>(memory.written_delta(i)), own);
  });
}

template <class List>
template <class Arch, class T>
void layer_stack<List>::accumulate(std::size_t rows, const T* x, tape<T>& memory,
                                   std::span<T> gradient) const {
  for_each_parametric([&]<class L>(std::size_t i, const L& layer) {
    const auto own = gradient.subspan(places_[i].offset, places_[i].size);
    if constexpr (detail::with_ties<List>)
      if (places_[i].tied) {
        if (owns(i)) add_tied<Arch>(i, rows, x, memory, own);
        return;
      }
    add_gradient<Arch>(layer, i, rows, x, memory, own);
  });
}

template <class List>
template <class Arch, class T>
void layer_stack<List>::descend(std::size_t rows, const T* x, tape<T>& memory, T scale, std::span<T> room,
                                std::span<T> p) const {
  for_each_parametric([&]<class L>(std::size_t i, const L& layer) {
    const auto own = p.subspan(places_[i].offset, places_[i].size);
    if constexpr (detail::with_ties<List>)
      if (places_[i].tied) {
        if (!owns(i)) return;
        whole_tied<Arch>(i, rows, x, memory, room.first(own.size()));
        simd::axpy<Arch>(-scale, std::span<const T>(room.first(own.size())), own);
        return;
      }
    if constexpr (in_lanes<L>) {
      sum_lanes<Arch>(layer, i, rows, x, memory, 0, own, simd::subtract<T>{scale});
    } else {
      const auto rows_of = call(i, rows, x, memory);
      const T* const dy = memory.written_delta(i);
      if constexpr (requires { layer.template descend<Arch>(rows_of, dy, scale, own); }) {
        layer.template descend<Arch>(rows_of, dy, scale, own);
      } else {
        whole_gradient<Arch>(layer, rows_of, dy, room.first(own.size()));
        simd::axpy<Arch>(-scale, std::span<const T>(room.first(own.size())), own);
      }
    }
  });
}

template <class List>
template <class Arch, class T>
void layer_stack<List>::piecewise(
    std::size_t rows, const T* x, tape<T>& memory, std::span<T> room,
    std::type_identity_t<function_ref<void(std::size_t, std::span<T>)>> f) const {
  for_each_parametric([&]<class L>(std::size_t i, const L& layer) {
    if constexpr (detail::with_ties<List>)
      if (places_[i].tied) {
        if (!owns(i)) return;
        whole_tied<Arch>(i, rows, x, memory, room.first(places_[i].size));
        f(places_[i].offset, room.first(places_[i].size));
        return;
      }
    if constexpr (in_lanes<L>) {
      for (std::size_t first = 0; first < places_[i].size; first += room.size()) {
        const auto piece = room.first(std::min(room.size(), places_[i].size - first));
        sum_lanes<Arch>(layer, i, rows, x, memory, first, piece, simd::write{});
        f(places_[i].offset + first, piece);
      }
    } else {
      const auto rows_of = call(i, rows, x, memory);
      const T* const dy = memory.written_delta(i);
      const auto shifted = [&](std::size_t offset, std::span<T> piece) {
        f(places_[i].offset + offset, piece);
      };
      if constexpr (requires { layer.template piecewise<Arch>(rows_of, dy, room, shifted); }) {
        layer.template piecewise<Arch>(rows_of, dy, room, shifted);
      } else {
        whole_gradient<Arch>(layer, rows_of, dy, room.first(places_[i].size));
        shifted(0, room.first(places_[i].size));
      }
    }
  });
}

/// The model, where the parameters of these layers stay on each device: a head of one's own is
/// `keep_local(sequential{dense<43, 128>{}, relu{}, dense<128, 6>{}}, {2})`.
/// Source    FedPer: Arivazhagan et al. 2019; layers that normalise: FedBN, Li et al., ICLR 2021
template <class Model>
Model keep_local(Model model, std::initializer_list<std::size_t> layers) {
  model.keep_local(std::span(layers.begin(), layers.size()));
  return model;
}

namespace detail {

/// The widths of a static list, folded at compile time.
struct static_shape {
  std::size_t width = dynamic; ///< of the rows so far
  std::size_t parameters = 0;  ///< so far; `dynamic` when a width is
  bool fits = true;
};

template <class L>
consteval static_shape through(static_shape shape) {
  if constexpr (requires { L::static_in; }) {
    if (shape.width != dynamic && L::static_in != dynamic && shape.width != L::static_in) shape.fits = false;
    const bool known = L::static_in != dynamic && L::static_out != dynamic && L::static_size != dynamic &&
                       shape.parameters != dynamic;
    shape.parameters = known ? shape.parameters + L::static_size : dynamic;
    shape.width = L::static_out;
  } else if constexpr (is_branch<L>) {
    shape.width = dynamic;
  } else if constexpr (ParametricLayer<L>) {
    shape.parameters = shape.width = dynamic;
  }
  return shape;
}

template <class... L>
consteval static_shape shape_of() {
  static_shape shape;
  ((shape = through<L>(shape)), ...);
  return shape;
}

/// Several layers under one name, as `residual`: what a list holds are the layers.
template <class L>
inline constexpr bool is_block = requires { L::is_block; };

/// The list of a model: its layers, those of blocks in place (nn/residual.hpp).
template <bool Blocks, class... L>
struct listed {
  using type = indexed_list<L...>;
  static type of(L... layers) { return type(std::move(layers)...); }
};
template <class... L>
struct listed<true, L...>;
template <class... L>
using listed_as = listed<(is_block<L> || ...), L...>;

} // namespace detail

/// Layers in order, their types known: `sequential{dense<43, 128>{}, relu{}, dense<128, 6>{}}`.
///
/// `parameter_count` is a compile-time number when every width is (6,406 here), else `dynamic`.
/// Neighbours whose static widths disagree do not compile; run-time widths throw N003.
template <class... L>
  requires(sizeof...(L) > 0 && ((Layer<L> || detail::is_block<L>)&&...))
class sequential : public layer_stack<typename detail::listed_as<L...>::type> {
  static_assert(
      detail::shape_of<L...>().fits,
      "[P012 layer-shape] two neighbouring layers disagree about the width between them: the second reads "
      "another number of columns than the first writes. Compare the widths in sequential{...}. "
      "docs/errors/P012.md");

 public:
  static constexpr std::size_t parameter_count = detail::shape_of<L...>().parameters;
  static constexpr bool mixes_in_training = (L::mixes_examples(mode::training) || ...);

  explicit sequential(L... layers)
      : layer_stack<typename detail::listed_as<L...>::type>(
            detail::listed_as<L...>::of(std::move(layers)...)) {}
};

} // namespace privet
