#pragma once
// Several clients in one program, and a federation of them in one call.

#include <privet/federated/in_process.hpp>
#include <privet/federated/server.hpp>
#include <privet/optim/sgd.hpp>

#include <memory>

namespace privet {

/// Cuts a data set into one for each office; the parts come from data/partition.hpp.
inline std::vector<dataset<float>> split_by(const dataset<float>& data,
                                            const std::vector<std::vector<std::uint32_t>>& parts) {
  std::vector<dataset<float>> all;
  for (const auto& rows : parts) all.push_back(data.select(rows));
  return all;
}

/// Stochastic gradient descent on a client, the common case: `local_sgd{.learning_rate = .05, .epochs = 2}`.
struct local_sgd {
  double learning_rate = 0.01;
  double momentum = 0;
  std::size_t epochs = 1;
  std::size_t batch = 32;

  /// Throws N001 for a rate or a momentum that is none.
  auto recipe() const {
    require(learning_rate >= 0 && std::isfinite(learning_rate), fault::argument, "local_sgd: learning rate ",
            learning_rate, ", expected a finite number from 0");
    require(momentum >= 0 && momentum < 1, fault::argument, "local_sgd: momentum ", momentum,
            ", expected 0 <= momentum < 1");
    return local_recipe{
        chain(average_over_batch{}, sgd{.learning_rate = learning_rate, .momentum = momentum}), epochs,
        batch};
  }
};

/// The clients of an in-process federation, and the model they will be sent.
class offices {
 public:
  template <class List>
  offices(const layer_stack<List>& model, std::vector<dataset<float>> data, const local_sgd& local,
          std::uint64_t seed = 0)
      : offices(model, std::move(data), local.recipe(), seed) {}

  template <class List, class Recipe>
    requires requires { Recipe::is_private; }
  offices(const layer_stack<List>& model, std::vector<dataset<float>> data, const Recipe& recipe,
          std::uint64_t seed = 0)
      : model_(model) {
    for (auto& rows : data) {
      const auto id = static_cast<std::uint32_t>(members_.size() + 1);
      add(std::make_unique<office<Recipe>>(id, std::move(rows), recipe, seed));
    }
  }

  /// For clients that differ in recipe; they must be numbered from 1 in this order.
  template <class List>
  explicit offices(const layer_stack<List>& model) : model_(model) {}
  void add(std::unique_ptr<participant> member) {
    members_.push_back(std::move(member));
    links_.push_back(std::make_unique<in_process_link>(*members_.back()));
    ends_.push_back(links_.back().get());
  }

  const network& model() const noexcept { return model_; }
  std::span<transport* const> links() const noexcept { return ends_; }
  std::size_t size() const noexcept { return members_.size(); }
  /// Client i + 1.
  participant& member(std::size_t i) const noexcept { return *members_[i]; }

 private:
  network model_;
  std::vector<std::unique_ptr<participant>> members_;
  std::vector<std::unique_ptr<transport>> links_;
  std::vector<transport*> ends_;
};

} // namespace privet
