/// Finds the route of a request in a tree of path segments: time grows with the path, not with the number of routes.
#pragma once
#include "api/route.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::api {

class router {
public:
  router();
  ~router();
  router(const router&) = delete;
  router& operator=(const router&) = delete;

  /// Refuses (invalid_argument) a malformed template and (conflict) a second route with the same method and shape.
  /// @param index what `find` gives back.
  [[nodiscard]] result<void> add(std::string_view method, std::string_view path, std::size_t index);

  struct match {
    std::size_t index = 0;
    name_values params; ///< decoded
  };
  /// A literal wins over `{name}`, that over `{name...}`; the next best is tried when the best does not have the
  /// method. HEAD is served by GET. Refuses with 404, with 405 and Allow, and with 400 for a bad escape.
  [[nodiscard]] outcome<match> find(std::string_view method, std::string_view path) const;

private:
  struct node;
  struct search;
  static void walk(const node& at, search& what, std::size_t position);
  std::unique_ptr<node> root_;
};

} // namespace matricula::api
