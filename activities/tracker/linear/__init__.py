"""Linear as a tracker."""
