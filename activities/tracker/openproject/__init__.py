"""OpenProject as a tracker."""
